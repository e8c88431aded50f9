import { describe, expect, it } from "vitest";
import { isSign, signLimits, signProblemOf } from "../src/mod.ts";

const cat = ["  /\\_/\\", " ( o.o )", "  > ^ <"].join("\n");

describe("a sign", () => {
  it("is lines of printable ASCII", () => {
    expect(signProblemOf(cat)).toBe(null);
    expect(isSign("\\o/ bob")).toBe(true);
    expect(isSign("####\n\n####")).toBe(true);
    expect(isSign(Array.from({ length: signLimits.lines }, () => "#".repeat(40)).join("\n"))).toBe(true);
    expect(isSign("#".repeat(signLimits.columns))).toBe(true);
  });

  it.each([
    ["a terminal's command", "\u001b[2Jcats"],
    ["a command in one character", "\u009b2Jcats"],
    ["a bell", "cats\u0007"],
    ["a backspace that hides what was before", "dogs\b\b\b\bcats"],
    ["a carriage return that begins the line anew", "dogs\rcats"],
    ["a tab", "\tcats"],
    ["a NUL", "cats\u0000"],
    ["DEL", "cats\u007f"],
    ["text in another direction", "cats\u202estac"],
    ["characters of no width", "ca\u200bts"],
    ["a Cyrillic letter like a Latin one", "c\u0430ts"],
    ["full-width letters", "\uff43\uff41\uff54\uff53"],
    ["a no-break space", "ca\u00a0ts"],
    ["half of a character", "cats\ud800"],
    ["a space at the end of a line that nobody sees", "cats \ncats"],
    ["an empty line before it", "\ncats"],
    ["an empty line behind it", "cats\n"],
    ["nothing", ""],
    ["nothing that is seen", "   \n  ."],
    ["too little to recognise", ":-)"],
    ["too many lines", Array.from({ length: signLimits.lines + 1 }, () => "#").join("\n")],
    ["too long a line", "#".repeat(signLimits.columns + 1)],
    ["too much in all", Array.from({ length: 24 }, () => "#".repeat(60)).join("\n")],
  ])("is not %s", (_what, text) => {
    expect(isSign(text)).toBe(false);
    // What is said of it does not repeat it: an error is read at a terminal too.
    expect(signProblemOf(text)).toMatch(/^must [ -~]+$/);
  });

  it("ends nobody's time, however long the text is", () => {
    const start = performance.now();
    expect(isSign("# ".repeat(2_000_000))).toBe(false);
    expect(performance.now() - start).toBeLessThan(500);
  });
});
