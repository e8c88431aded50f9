import { base64url } from "@portcullis/protocol";
import { describe, expect, test } from "vitest";
import { normalWords } from "../src/mod.ts";
import { fingerprintWords, wordsOf } from "../src/words.ts";

describe("the words of a fingerprint", () => {
  test("are those of its first 66 bits, by the list of BIP-39", () => {
    expect(fingerprintWords(base64url.encode(new Uint8Array(16)))).toBe(
      "abandon abandon abandon abandon abandon abandon",
    );
    expect(fingerprintWords(base64url.encode(new Uint8Array(16).fill(255)))).toBe("zoo zoo zoo zoo zoo zoo");
    // BIP-39's test vector for 7f7f…: "legal winner thank year wave sausage …"
    expect(fingerprintWords(base64url.encode(new Uint8Array(16).fill(0x7f)))).toBe(
      "legal winner thank year wave sausage",
    );
    expect(fingerprintWords(base64url.encode(new Uint8Array(16).fill(0x80)))).toBe(
      "letter advice cage absurd amount doctor",
    );
  });

  test("differ for fingerprints that differ in any of those bits", () => {
    const zero = fingerprintWords(base64url.encode(new Uint8Array(16)));
    for (let bit = 0; bit < 66; bit += 1) {
      const bytes = new Uint8Array(16);
      bytes[bit >> 3] = 0x80 >> (bit & 7);
      expect(fingerprintWords(base64url.encode(bytes))).not.toBe(zero);
    }
  });

  test("are none of less than 66 bits", () => {
    expect(() => wordsOf(new Uint8Array(8))).toThrow();
    expect(wordsOf(new Uint8Array(9))).toBe("abandon abandon abandon abandon abandon abandon");
  });

  test("are the same however they are typed", () => {
    expect(normalWords("  Legal winner\tTHANK  year\nwave sausage ")).toBe("legal winner thank year wave sausage");
  });
});
