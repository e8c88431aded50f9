import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat, equalBytes, lp, ProtocolError, pad, paddedLength, u32be, u64be, unpad, utf8 } from "../src/mod.ts";

describe("bytes", () => {
  it("numbers are big-endian and never wrap", () => {
    expect(u32be(0x01020304)).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(u64be(2 ** 40 + 5)).toEqual(Uint8Array.of(0, 0, 1, 0, 0, 0, 0, 5));
    for (const bad of [-1, 1.5, 2 ** 32, Number.NaN]) expect(() => u32be(bad)).toThrow(RangeError);
    for (const bad of [-1, 1.5, 2 ** 53, Number.POSITIVE_INFINITY]) expect(() => u64be(bad)).toThrow(RangeError);
  });

  it("length-prefixed fields cannot trade bytes", () => {
    expect(concat(lp(utf8("ab")), lp(utf8("c")))).not.toEqual(concat(lp(utf8("a")), lp(utf8("bc"))));
    expect(lp(utf8("ab"))).toEqual(Uint8Array.of(0, 0, 0, 2, 97, 98));
  });

  it("equalBytes is equality", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0);
        expect(equalBytes(a, a.slice())).toBe(true);
      }),
    );
  });
});

describe("padding shows only the bucket", () => {
  it("has the documented buckets", () => {
    expect([0, 252, 253, 1020, 1021, 4092, 4093, 8188, 8189].map(paddedLength)).toEqual([
      256, 256, 1024, 1024, 4096, 4096, 8192, 8192, 12288,
    ]);
  });

  it("unpad undoes pad", () => {
    void fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000, size: "max" }), (bytes) => {
        expect(unpad(pad(bytes))).toEqual(bytes);
      }),
      { numRuns: 50 },
    );
  });

  it("a plaintext has one padded form: every other byte, length or bucket is refused", () => {
    const padded = pad(utf8("hello"));
    for (let index = 9; index < padded.length; index++) {
      const altered = padded.slice();
      altered[index] = 1;
      expect(() => unpad(altered)).toThrow(ProtocolError);
    }
    expect(() => unpad(concat(padded, new Uint8Array(768)))).toThrow(ProtocolError);
    expect(() => unpad(padded.slice(0, 255))).toThrow(ProtocolError);
    expect(() => unpad(new Uint8Array())).toThrow(ProtocolError);
    const tooLong = padded.slice();
    tooLong.set(u32be(253));
    expect(() => unpad(tooLong)).toThrow(ProtocolError);
  });
});
