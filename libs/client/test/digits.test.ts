import { describe, expect, it } from "vitest";
import { digits } from "../src/prompts/digits.ts";

describe("a code as people type and paste it", () => {
  it("is its digits: without what groups them, and without what nobody sees", () => {
    for (const text of [
      "417 305",
      "417-305",
      "417\u2013305",
      "417\u2011305",
      "\u00a0417\u202f305\n",
      "\u200e417305\u200f\ufeff",
    ])
      expect(digits(text), JSON.stringify(text)).toBe("417305");
  });

  it("is the same in the digits of other keyboards", () => {
    for (const text of ["４１７３０５", "٤١٧٣٠٥", "۴۱۷۳۰۵"]) expect(digits(text)).toBe("417305");
  });

  it("keeps what does not belong to it, so that it is refused and not guessed", () => {
    expect(digits("417305x")).toBe("417305x");
  });
});
