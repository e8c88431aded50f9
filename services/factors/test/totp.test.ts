import { describe, expect, it } from "vitest";
import { matchingStep } from "../src/authenticators/totp.ts";

/** RFC 6238 appendix B, SHA-1; six digits are the last six of its eight (RFC 4226 section 5.3). */
const secret = new TextEncoder().encode("12345678901234567890");
const vectors = [
  [59, "94287082"],
  [1_111_111_109, "07081804"],
  [1_111_111_111, "14050471"],
  [1_234_567_890, "89005924"],
  [2_000_000_000, "69279037"],
  [20_000_000_000, "65353130"],
] as const;

describe("time-based codes", () => {
  it.each(vectors)("match the vector of RFC 6238 at %i s", async (seconds, code) => {
    expect(await matchingStep(secret, code.slice(2), seconds * 1_000)).toBe(Math.floor(seconds / 30));
  });

  it("are accepted one step early and one step late, and not a millisecond beyond", async () => {
    const step = Math.floor(1_111_111_111 / 30);
    const at = (ms: number) => matchingStep(secret, "050471", ms);
    expect(await at((step - 1) * 30_000 - 1)).toBeNull();
    expect(await at((step - 1) * 30_000)).toBe(step);
    expect(await at((step + 2) * 30_000 - 1)).toBe(step);
    expect(await at((step + 2) * 30_000)).toBeNull();
  });

  it.each(["", "12345", "1234567", "05047１", " 050471", "050471\n", "0x0471", "-50471", "٠٥٠٤٧١", "1".repeat(40)])(
    "refuse %j without an error",
    async (code) => {
      expect(await matchingStep(secret, code, 1_111_111_111_000)).toBeNull();
    },
  );

  it("do not take a malformed code for the stand-in that is compared in its place", async () => {
    // The first step of this secret whose code is 000000.
    const step = 349_495;
    expect(await matchingStep(secret, "000000", step * 30_000)).toBe(step);
    expect(await matchingStep(secret, "00000", step * 30_000)).toBeNull();
    expect(await matchingStep(secret, "", step * 30_000)).toBeNull();
  });
});
