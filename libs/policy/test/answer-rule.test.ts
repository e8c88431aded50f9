import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { answerByRule, normaliseAnswer, readAnswerRule, ruleWords, statementOf } from "../src/mod.ts";

const statement =
  "amber bridge cedar dragon ember forest garden harbor island jungle kettle lemon marble nectar ocean silver";
const answerOf = (text: string) => {
  const rule = readAnswerRule(text);
  if (rule === null) throw new Error(`no rule: ${text}`);
  return answerByRule(rule, statement);
};

describe("an answer rule", () => {
  it.each([
    ["1 2 3 4", "amber bridge cedar dragon"],
    ["3 -1 7 -16", "cedar silver garden amber"],
    ["-2 1 =Tea 4", "ocean amber tea dragon"],
    ["2+5 1 3 4", "bridge garden lemon amber cedar dragon"],
    ["1 2 3 4 m* x*", "amber bridge cedar dragon marble"],
    ["  4   3\t2 1 ", "dragon cedar bridge amber"],
    ["1 2 =für =elise", "amber bridge für elise"],
  ])("%s picks by eye", (text, answer) => {
    expect(answerOf(text)).toBe(answer);
  });

  it.each([
    ["nothing", ""],
    ["three steps", "1 2 3"],
    ["nine steps", "1 2 3 4 5 6 7 8 9"],
    ["the same twice", "1 2 3 3"],
    ["words of one's own alone: a password", "=one =two =three =four"],
    ["one pick beside them", "1 =two =three =four"],
    ["letters that say nothing in some statements", "1 2 s* t*"],
    ["a word behind the last", "1 2 3 17"],
    ["a word before the first", "1 2 3 -17"],
    ["word nought", "0 1 2 3"],
    ["every word", "1+1 2 3 4"],
    ["a series of one", "9+8 2 3 4"],
    ["something else", "1 2 3 four"],
    ["a word that could not be typed", "1 2 3 =a-b"],
    ["too much", `1 2 3 =${"a".repeat(33)}`],
    ["more bytes than are kept", `1 2 ${Array.from("abcdef", (c) => `=${"語".repeat(8)}${c}`).join(" ")}`],
  ])("cannot be %s", (_what, text) => {
    expect(readAnswerRule(text)).toBe(null);
  });

  it("reads anything without failing, and what it keeps reads the same again", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[0-9 +*=a-z-]{0,40}$/)), (text) => {
        const rule = readAnswerRule(text);
        if (rule !== null) expect(readAnswerRule(rule.text)).toEqual(rule);
      }),
    );
  });

  it("asks for sixteen different words, others for each challenge, and gives no hint which", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{22}$/), (cid) => {
        const words = statementOf(cid, ruleWords).split(" ");
        expect(new Set(words).size).toBe(ruleWords);
        expect(statementOf(cid, ruleWords)).toBe(words.join(" "));
        seen.add(words.join(" "));
      }),
    );
    expect(seen.size).toBeGreaterThan(90);
  });

  it("takes an answer as people type it", () => {
    for (const typed of ["Cedar,  SILVER garden", " cedar-silver/garden. ", "ｃｅｄａｒ silver garden"])
      expect(normaliseAnswer(typed)).toBe("cedar silver garden");
    expect(normaliseAnswer("cedarsilver garden")).not.toBe("cedar silver garden");
  });
});
