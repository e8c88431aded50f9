import { readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CodecVectors } from "../../../test/vectors/build.ts";
import { base64url, ProtocolError } from "../src/mod.ts";

const vectors: CodecVectors = JSON.parse(
  readFileSync(new URL("../../../test/vectors/codec.json", import.meta.url), "utf8"),
);

describe("base64url has one text for each byte string", () => {
  it("agrees with the vectors", () => {
    for (const { bytes, text } of vectors.base64url.valid) {
      expect(base64url.encode(Buffer.from(bytes, "hex"))).toBe(text);
      expect(Buffer.from(base64url.decode(text)).toString("hex")).toBe(bytes);
    }
    expect(vectors.base64url.valid.length).toBeGreaterThan(4);
  });

  it("refuses padding, spaces, the other alphabet, loose bits and impossible lengths", () => {
    for (const text of vectors.base64url.invalid) expect(() => base64url.decode(text), text).toThrow(ProtocolError);
  });

  it("agrees with another implementation on any bytes", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect(base64url.encode(bytes)).toBe(text);
        expect(base64url.decode(text)).toEqual(bytes);
      }),
    );
  });

  it("whatever decodes encodes to the same text", () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^[A-Za-z0-9_-]{0,12}$/));
    void fc.assert(
      fc.property(texts, (text) => {
        let bytes: Uint8Array;
        try {
          bytes = base64url.decode(text);
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
          return;
        }
        expect(base64url.encode(bytes)).toBe(text);
      }),
    );
  });
});
