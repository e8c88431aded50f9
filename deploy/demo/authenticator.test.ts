import { expect, test } from "vitest";
import { scan } from "./authenticator.ts";

// RFC 6238 appendix B: the ASCII secret 12345678901234567890, repeated to the length of the hash.
const secrets = {
  SHA1: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
  SHA256: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZA====",
};

test.each([
  ["SHA1", 59, "94287082"],
  ["SHA1", 1_111_111_109, "07081804"],
  ["SHA1", 20_000_000_000, "65353130"],
  ["SHA256", 59, "46119246"],
  ["SHA256", 2_000_000_000, "90698825"],
] as const)("the phone of the demo shows what RFC 6238 says: %s at %i", (algorithm, seconds, code) => {
  const uri = `otpauth://totp/Example:bob?secret=${secrets[algorithm]}&algorithm=${algorithm}&digits=8&period=30`;
  expect(scan(uri).code(seconds * 1_000)).toBe(code);
});

test("a code holds until the next time step", () => {
  const phone = scan(`otpauth://totp/x?secret=${secrets.SHA1}`);
  expect(phone.nextStepMs(59_000)).toBe(60_000);
  expect(phone.nextStepMs(60_000)).toBe(90_000);
  expect(phone.code(59_999)).not.toBe(phone.code(60_000));
});

test("what is no key URI is refused", () => {
  expect(() => scan("https://example.com/?secret=GEZDGNBV")).toThrow("not a key URI");
  expect(() => scan("otpauth://totp/x?secret=1189")).toThrow("not base32");
  expect(() => scan("otpauth://totp/x")).toThrow("no secret");
});
