import { expect, it } from "vitest";
import { callMsMax, type Kms, type KmsContext, KmsError, wrappedLengthMax } from "../../src/mod.ts";

export interface Subject {
  readonly kms: Kms;
  /** The key service gets another key, or another version of its key; the one before stays there. */
  readonly replaceKey: () => void | Promise<void>;
}

export const dataKey = new Uint8Array(32).map((_, index) => index + 1);
export const place: KmsContext = { service: "keys", key: "0a1b2c3d" };

/** What `Kms` promises, of each adapter. */
export function conforms(make: () => Promise<Subject>): void {
  it("opens what it wrapped, and wraps the same key to another text each time", async () => {
    const { kms } = await make();
    const [one, two] = [await kms.wrap(dataKey, place), await kms.wrap(dataKey, place)];
    expect(await kms.unwrap(one.wrapped, place)).toEqual(dataKey);
    expect(await kms.unwrap(two.wrapped, place)).toEqual(dataKey);
    expect(one.wrapped).not.toBe(two.wrapped);
    for (const { wrapped, by } of [one, two]) {
      expect(wrapped.startsWith(`${kms.kind}:`)).toBe(true);
      expect(wrapped.length).toBeLessThan(wrappedLengthMax);
      for (const form of ["hex", "base64", "base64url"] as const)
        expect(wrapped + by).not.toContain(Buffer.from(dataKey).toString(form).slice(0, 40));
    }
  });

  it.each([
    ["another service", { ...place, service: "factors" }],
    ["another place in the ring", { ...place, key: "index" }],
    ["service and key that say the same when they stand together", { service: "keys0", key: "a1b2c3d" }],
  ])("does not open what was moved to %s", async (_, elsewhere) => {
    const { kms } = await make();
    const { wrapped } = await kms.wrap(dataKey, place);
    await expect(kms.unwrap(wrapped, elsewhere)).rejects.toMatchObject({ name: "KmsError", code: "unopened" });
  });

  it("does not open what was altered, cut, or of another kind", async () => {
    const { kms } = await make();
    const { wrapped } = await kms.wrap(dataKey, place);
    const at = wrapped.length - 12;
    const other = wrapped[at] === "A" ? "B" : "A";
    const altered = [
      wrapped.slice(0, at) + other + wrapped.slice(at + 1),
      wrapped.slice(0, -8),
      wrapped.slice(kms.kind.length + 1),
      `${kms.kind}:`,
    ];
    for (const text of altered) {
      const error = await kms.unwrap(text, place).then(
        () => null,
        (cause: unknown) => cause,
      );
      expect(error, text).toBeInstanceOf(KmsError);
      expect(["unopened", "refused"]).toContain((error as KmsError).code);
    }
  });

  it("opens what was wrapped before its key was replaced, and names the one that wraps now", async () => {
    const { kms, replaceKey } = await make();
    const before = await kms.wrap(dataKey, place);
    await replaceKey();
    const after = await kms.wrap(dataKey, place);
    expect(await kms.unwrap(before.wrapped, place)).toEqual(dataKey);
    expect(await kms.unwrap(after.wrapped, place)).toEqual(dataKey);
    expect(after.by).not.toBe(before.by);
  });

  it("refuses keys of another length", async () => {
    const { kms } = await make();
    await expect(kms.wrap(new Uint8Array(31), place)).rejects.toThrow(TypeError);
  });

  it("says within its time where it is and what it uses", async () => {
    const { kms } = await make();
    expect(kms.describe().startsWith(`${kms.kind} `)).toBe(true);
    expect(callMsMax).toBeLessThanOrEqual(15_000);
  });
}
