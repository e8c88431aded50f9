import { notRecognised, type Question } from "@portcullis/client";
import { describe, expect, test } from "vitest";
import type { Terminal } from "../terminal.ts";
import { answerIdent, describeIdent, framed, quoted } from "./ident.ts";

const server = {
  fingerprint: "f".repeat(22),
  pinned: true,
  successorOf: null,
  words: "legal winner thank year wave sausage",
  randomart: [" .o.", "  S ", "  E "],
  edge: "e",
};

describe("a sign at a terminal", () => {
  test("stands in a frame, as it is", () => {
    expect(framed("/\\_/\\\n o.o", " 1 ")).toEqual(["  +- 1 --+", "  |/\\_/\\ |", "  | o.o  |", "  +------+"]);
  });

  test("is nothing that the terminal obeys, should it have come that far", () => {
    const shown = framed("\u001b]0;owned\u0007\n\u009b2J\u202ecats\r\b").join("\n");
    expect(shown).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(shown).toContain("cats");
  });

  test("passes for no line of ours: each of its lines begins and ends with the frame", () => {
    const [, ...rest] = framed("You are in as bob\nType your code >");
    for (const line of rest.slice(0, -1)) expect(line).toMatch(/^ {2}\|.*\|$/);
  });
});

describe("a question at a terminal", () => {
  test("stands in a frame, as it is", () => {
    expect(quoted("What is it?", "1 a cat")).toEqual([
      "  +------------+",
      "  |What is it? |",
      "  |1 a cat     |",
      "  +------------+",
    ]);
  });

  test.each([
    ["by a new line", "Which?\nYou are in as bob.\u2028Type your password > "],
    ["by being long", `Which?${" ".repeat(71)}You are in as bob.${"x".repeat(500)}`],
    ["by taking two columns", "猫".repeat(200)],
  ])("passes for no line of ours %s", (_how, text) => {
    const [, ...rest] = quoted(text);
    for (const line of rest.slice(0, -1)) {
      expect(line).toMatch(/^ {2}\|.* \|$/);
      expect(line.length + [...line].filter((character) => character === "猫").length).toBeLessThan(80);
    }
  });
});

describe("what is shown", () => {
  test("is sign, words and picture where the person is to agree", () => {
    const lines = describeIdent({ ask: "agree", sign: "[ bob ]", signs: [], server }).join("\n");
    expect(lines).toContain("[ bob ]");
    expect(lines).toContain(server.words);
    expect(lines).toContain(" .o.");
  });

  test("is not what is to be typed, which would then be copied", () => {
    expect(describeIdent({ ask: "type", sign: null, signs: [], server }).join("\n")).not.toContain("legal");
  });

  test("is each sign with its number, where one is picked", () => {
    const lines = describeIdent({ ask: "pick", sign: null, signs: ["[ one ]", "[ two ]"], server }).join("\n");
    expect(lines).toMatch(/- 1 -[\s\S]*one[\s\S]*- 2 -[\s\S]*two/);
  });
});

describe("what is typed", () => {
  const answer = (details: Record<string, unknown>, ...lines: (string | null)[]) => {
    const terminal = { ask: async () => lines.shift() ?? null } as unknown as Terminal;
    const question = { details, answerUntilMs: 0, signal: new AbortController().signal } as unknown as Question;
    return answerIdent(
      question,
      terminal,
      () => undefined,
      (title) => () => title,
    );
  };

  test("is yes in full, a number that is there, words, or a way out; anything else is asked again", async () => {
    expect(await answer({ ask: "agree" }, "", "y", "no", " YES ")).toBe("agree");
    expect(await answer({ ask: "pick", signs: ["[ one ]", "[ two ]"] }, "0", "3", "two", " 2 ")).toBe("2");
    expect(await answer({ ask: "type" }, "", "some words")).toBe("some words");
    expect(await answer({ ask: "agree" }, "drop")).toBe("drop");
    expect(await answer({ ask: "type" }, "report")).toBe(notRecognised);
    expect(await answer({ ask: "agree" }, null)).toBe(null);
  });
});
