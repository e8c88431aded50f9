import { describe, expect, it } from "vitest";
import { createIds } from "../src/mod.ts";

describe("ids", () => {
  it("are 128 bits of base64url, with a prefix where one is wanted", () => {
    const ids = createIds((size) => new Uint8Array(size).fill(0xff));
    expect(ids.id()).toBe("_____________________w");
    expect(ids.id("socket")).toBe("socket______________________w");
  });

  it("do not repeat and fit job ids and routes", () => {
    const ids = createIds();
    const made = Array.from({ length: 1_000 }, () => ids.id("job"));
    expect(new Set(made).size).toBe(1_000);
    expect(made.every((id) => /^job_[A-Za-z0-9_-]{22}$/.test(id))).toBe(true);
  });

  it("are not made of fewer bits when the source runs dry, nor with an unfit prefix", () => {
    expect(() => createIds(() => new Uint8Array(8)).id()).toThrow(RangeError);
    for (const prefix of ["", "A", "a:b", "a".repeat(17)])
      expect(() => createIds().id(prefix), prefix).toThrow(TypeError);
  });
});
