import { createLocalKms } from "@portcullis/kms/local";
import { type Root, rootOf } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rotate } from "../src/mod.ts";
import { createOpenedKeys } from "../src/opened-keys.ts";
import { isGenuine, macOf, printOf } from "../src/ring.ts";
import { createWorld, type World } from "./support/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.close());

const isZero = ({ bytes }: Root) => bytes.every((byte) => byte === 0);

describe("keys that were opened", () => {
  it("are filled with zeros when they are wiped, when they are opened anew, and when they leave the ring", async () => {
    const ring = await world.replica("a");
    await rotate(world.rotation(ring));
    const { body } = await ring.read();
    const opened = createOpenedKeys(world.kms, "keys");
    const first = await opened.open(body, false);
    expect([first.current, first.index, ...first.others].some(isZero)).toBe(false);
    const second = await opened.open(body, true);
    expect([first.current, first.index, ...first.others].every(isZero)).toBe(true);
    expect(isZero(second.current)).toBe(false);
    opened.wipe();
    expect([second.current, second.index, ...second.others].every(isZero)).toBe(true);
  });

  it("stay as they were where not all of the others open, and what was opened in vain is not left behind", async () => {
    const ring = await world.replica("a");
    const opened = createOpenedKeys(world.kms, "keys");
    const before = await opened.open((await ring.read()).body, false);
    await rotate(world.rotation(ring));
    const other = createLocalKms(async () => ({ current: new Uint8Array(32), previous: [] }), "another");
    const { body } = await ring.read();
    const keys = await Promise.all(
      body.keys.map(async (key) =>
        key.state === "current"
          ? { ...key, ...(await other.wrap(new Uint8Array(32), { service: "keys", key: key.id })) }
          : key,
      ),
    );
    await expect(opened.open({ ...body, keys }, false)).rejects.toMatchObject({ code: "unopened" });
    expect([before.current, before.index].some(isZero)).toBe(false);
  });

  it("are those that the ring was written with: another one that happens to have the same id is none of them", () => {
    const [index, key] = [rootOf(new Uint8Array(32).fill(1), "keys"), rootOf(new Uint8Array(32).fill(2), "keys")];
    const entry = { id: key.id, state: "current", madeAtMs: 0, sinceMs: 0, settledAtMs: null } as const;
    const keys = [{ ...entry, wrapped: "local:x", by: "x" }];
    const mac = macOf(index, "keys", { keys }, () => printOf(key));
    const ring = { keys, index: { wrapped: "local:x", by: "x" }, mac };
    const twin = { ...key, bytes: new Uint8Array(32).fill(3) };
    expect(isGenuine(index, "keys", ring, () => printOf(key))).toBe(true);
    expect(isGenuine(index, "keys", ring, () => printOf(twin))).toBe(false);
  });
});
