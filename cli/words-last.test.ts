import { parseArgs } from "node:util";
import { expect, test } from "vitest";
import { wordsLast } from "./words-last.ts";

const options = { rule: { type: "string" }, url: { type: "string" }, yes: { type: "boolean" } } as const;
const read = (...args: string[]) => {
  const { values, positionals } = parseArgs({
    args: wordsLast(args, ["rule", "url"]),
    options,
    allowPositionals: true,
  });
  return { words: positionals, ...values };
};

test("an id that begins with a dash is a word like any other, wherever it stands, and in its order", () => {
  for (const args of [
    ["key", "revoke", "chat", "-sskHk3", "--yes"],
    ["--yes", "key", "revoke", "chat", "-sskHk3"],
    ["key", "revoke", "--yes", "chat", "--", "-sskHk3"],
  ])
    expect(read(...args)).toEqual({ words: ["key", "revoke", "chat", "-sskHk3"], yes: true });
  expect(read("webhook", "secret", "-a", "-b").words).toEqual(["webhook", "secret", "-a", "-b"]);
});

test("an option keeps its value, one that begins with a dash as well", () => {
  expect(read("member", "answer-rule", "--rule", "-1 2+4", "chat", "bob")).toEqual({
    words: ["member", "answer-rule", "chat", "bob"],
    rule: "-1 2+4",
  });
  expect(read("a", "--rule=-1", "--url", "-")).toEqual({ words: ["a"], rule: "-1", url: "-" });
});

test("an option without its value and an unknown one are refused as before", () => {
  for (const args of [
    ["a", "--rule"],
    ["a", "--rule", "--yes"],
    ["a", "--frob", "x"],
    ["a", "--yes=1"],
  ])
    expect(() => read(...args)).toThrow();
});
