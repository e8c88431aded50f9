import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { createCanaries } from "./canaries.ts";

const around = (dressed: string) => Buffer.from(`around ${dressed} it`);

/** Wherever it may begin within a longer text, and whatever stands behind it. */
function inBase64(secret: Uint8Array): string[] {
  return ["", "a", "ab", "abc"].flatMap((before) =>
    ["", "z", "yz"].flatMap((after) => {
      const bytes = Buffer.concat([Buffer.from(before), secret, Buffer.from(after)]);
      return [bytes.toString("base64"), bytes.toString("base64url"), encodeURIComponent(bytes.toString("base64"))];
    }),
  );
}

describe("a planted secret is found", () => {
  test("as text, in any of the usual clothes", () => {
    const canaries = createCanaries();
    const text = canaries.plant("secret", `${randomBytes(8).toString("hex")} "said"\n+ 100 % für / Ω?`);
    const json = JSON.stringify({ deep: { text } });
    for (const dressed of [
      text,
      json,
      JSON.stringify({ body: json }),
      json.replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`),
      encodeURIComponent(text),
      new URL(`http://x/?${new URLSearchParams({ text })}`).href,
      Buffer.from(text).toString("hex"),
      Buffer.from(text).toString("hex").toUpperCase(),
      ...inBase64(Buffer.from(text)),
    ])
      expect(canaries.in(around(dressed)), dressed).not.toEqual([]);
  });

  test("as bytes, in any of the usual clothes", () => {
    const canaries = createCanaries();
    const bytes = canaries.plant("secret", randomBytes(32));
    for (const dressed of [
      bytes.toString("hex"),
      JSON.stringify(bytes),
      JSON.stringify({ key: new Uint8Array(bytes) }),
      inspect(bytes),
      ...inBase64(bytes),
    ])
      expect(canaries.in(around(dressed)), dressed).not.toEqual([]);
    expect(canaries.in(Buffer.concat([Buffer.of(0), bytes]))).toEqual(["secret (raw)"]);
  });

  test("beside another one of the same name", () => {
    const canaries = createCanaries();
    const [one, other] = [canaries.make("secret"), canaries.make("secret")];
    for (const text of [one, other, one + other]) expect(canaries.in(around(text))).toEqual(["secret (raw)"]);
  });

  test("whole only, and six digits only where no digit stands beside them", () => {
    const canaries = createCanaries();
    const secret = canaries.make("secret");
    canaries.plant("code", "123456");
    expect(canaries.in(around(secret.slice(1)))).toEqual([]);
    expect(canaries.in(around(secret.slice(0, -1)))).toEqual([]);
    expect(canaries.in(around("0.1234567"))).toEqual([]);
    expect(canaries.in(around("code:123456"))).toEqual(["code (raw)"]);
  });

  test("never where it is too short to be told from chance", () => {
    expect(() => createCanaries().plant("short", "abc")).toThrow(RangeError);
  });
});
