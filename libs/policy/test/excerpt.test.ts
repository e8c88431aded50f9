import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { choiceOf, excerptOf } from "../src/mod.ts";

const cids = Array.from({ length: 500 }, () => randomBytes(16).toString("base64url"));

describe("an excerpt", () => {
  it("asks for three of the twelve words of its statement, each once and in their order", () => {
    for (const cid of cids) {
      const excerpt = excerptOf(cid);
      const words = excerpt.statement.split(" ");
      expect(words).toHaveLength(12);
      const [first = 0, second = 0, third = 0] = excerpt.positions;
      expect(excerpt.positions).toHaveLength(3);
      expect([first >= 1, first < second, second < third, third <= 12]).toEqual([true, true, true, true]);
      expect(choiceOf(excerpt)).toBe([words[first - 1], words[second - 1], words[third - 1]].join(" "));
    }
  });

  it("is the same for the same challenge and another one for another, with every word and every position", () => {
    const excerpts = cids.map(excerptOf);
    expect(cids.map(excerptOf)).toEqual(excerpts);
    expect(new Set(excerpts.map(({ statement }) => statement)).size).toBe(cids.length);
    expect(new Set(excerpts.flatMap(({ statement }) => statement.split(" "))).size).toBe(64);
    expect(new Set(excerpts.flatMap(({ positions }) => positions)).size).toBe(12);
  });
});
