import { describe, expect, it } from "vitest";
import { harmless } from "../src/gate/foreign.ts";
import { createSay } from "../src/gate/texts.ts";

describe("text of others on the element", () => {
  it("loses what turns it around, hides a part of it, or breaks its line", () => {
    const attacks = {
      "override of its direction": "Code for \u202eelgoog",
      "embedding that is not closed": "\u202b\u2067bob",
      "end of an isolate around it": "bob\u2069\u2069, Passed",
      "nothing to be seen": "a\u200bd\u00admin\ufeff",
      "tags, which no font shows": "bob\u{e0061}\u{e0062}",
      "another line": "bob\nYou are in\u2028\u2029\u0085",
      "what a terminal obeys": "\u001b[2J\u0000\u007f",
    };
    for (const [attack, text] of Object.entries(attacks)) {
      expect(harmless(text), attack).toContain("\ufffd");
      expect(harmless(text), attack).not.toMatch(/(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
    expect(harmless("\ud800")).toBe("\ufffd");
  });

  it("keeps what letters and emoji are joined by", () => {
    for (const text of ["👩‍🚀", "می‌خواهم", "ñandú", "שלום"]) expect(harmless(text)).toBe(text);
  });
});

describe("texts of the element", () => {
  it("keep the direction of what is put in from that of the sentence, and put nothing into what was put in", () => {
    const say = createSay({ "message.sent": "{to}: {way}" }, "en");
    expect(say("message.sent", { to: "{way}", way: "$&" })).toBe("\u2068{way}\u2069: \u2068$&\u2069");
  });

  it("are chosen by the plural forms of their language, and are the English ones where a page has none", () => {
    const attemptsLeft = { one: "{n} próba", few: "{n} próby", many: "{n} prób", other: "{n} próby" };
    const say = createSay({ attemptsLeft }, "pl");
    expect([1, 3, 5].map((n) => say("attemptsLeft", { n }))).toEqual(["1 próba", "3 próby", "5 prób"]);
    expect(say("cancel")).toBe("Cancel");
    expect(createSay({}, "no language")("attemptsLeft", { n: 1 })).toBe("1 attempt left.");
  });

  it("that have no form for a number, or are none, are told by name", () => {
    const wrong = { attemptsLeft: { one: "Noch einer." }, "form.go": 5 } as never;
    expect(() => createSay(wrong, "de")("attemptsLeft", { n: 2 })).toThrow(
      new TypeError("texts has no text for attemptsLeft."),
    );
    expect(() => createSay(wrong, "de")("form.go")).toThrow(new TypeError("texts has no text for form.go."));
  });

  it("are not looked for where only every object has them", () => {
    expect(createSay({}, "en").named("toString", "otherwise")).toBe("otherwise");
    expect(createSay({ "form.go": "{constructor}" }, "en")("form.go", {})).toBe("{constructor}");
  });
});
