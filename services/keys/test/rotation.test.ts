import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverIdentities, serverIdentity } from "@portcullis/contracts";
import { verifyBundle } from "@portcullis/crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { rotateIdentity } from "../src/rotation.ts";
import { startWorld, type World } from "./support/world.ts";

const dayMs = 24 * 3_600_000;
const rereadMs = 2_000;
let world: World;
beforeEach(async () => {
  world = await startWorld({ replicas: 2 });
});
afterEach(() => world.close());

const rotate = (overlapMs: number | null = 30 * dayMs) => {
  const { documents, vault, clock } = world.platform;
  return rotateIdentity({ documents, vault, clock }, { overlapMs });
};
const said = async () => (await world.asIdentity.call(serverIdentity, {})).fingerprint;
const all = async () => (await world.embedded.platformFor("factors").caller.call(serverIdentities, {})).fingerprints;
/** What clients see that pin this key: of each replica once. */
async function seen(pinnedFingerprint: string) {
  const given = [await world.bundle(), await world.bundle()];
  expect(new Set(given.map(({ replica }) => replica)).size).toBe(2);
  return Promise.all(
    given.map(({ bundle, signature }) => {
      const hello = { bundle, sig: signature, hid: `edge-1.${"A".repeat(22)}`, nonce: new Uint8Array(32) };
      return verifyBundle({ hello, pinnedFingerprint, nowMs: world.now() }).catch(({ code }) => code as string);
    }),
  );
}

describe("an identity key that follows another", () => {
  it("is taken up by every replica within seconds, and who pins the key before is led to it", async () => {
    const before = await said();
    expect(await seen(before)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    const { now, until, before: rotated } = await rotate();
    expect([rotated, until]).toEqual([before, Math.floor((world.now() + 30 * dayMs) / 1000)]);
    world.advance(rereadMs);
    const led = { fingerprint: now, pinned: true, successorOf: before };
    expect(await seen(before)).toMatchObject([led, led]);
    expect(await seen(now)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    expect(await all()).toEqual([before, now]);
  });

  it("is what new app keys pin, once no edge shows the key before any more", async () => {
    const before = await said();
    const { now } = await rotate();
    const pinOf = async () => (await world.mint()).key.split(".")[3];
    world.advance(rereadMs);
    expect([await said(), await pinOf()]).toEqual([before, before]);
    world.advance(90_000);
    expect([await said(), await pinOf()]).toEqual([now, now]);
  });

  it("leaves good what was shown under the key before, until that runs out", async () => {
    const old = await world.client({ appKey: (await world.mint()).key });
    await rotate();
    world.advance(rereadMs);
    await world.bundle();
    const step = await world.open(old.route, old.open);
    expect(step.close).toBe(null);
  });

  it("is not followed back, and from nowhere once its time is over", async () => {
    const before = await said();
    const { now } = await rotate(dayMs);
    world.advance(dayMs - 1_000);
    expect(await seen(before)).toMatchObject([{ fingerprint: now }, { fingerprint: now }]);
    world.advance(1_000);
    expect(await seen(before)).toEqual(["pin", "pin"]);
    expect(await seen(now)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    expect(await all()).toEqual([now]);
  });

  it("may be followed itself, four times at once at most", async () => {
    const first = await said();
    for (let times = 0; times < 4; times += 1) await rotate();
    await expect(rotate()).rejects.toThrow(/still lead here/);
    world.advance(rereadMs);
    expect(await all()).toHaveLength(5);
    expect(await seen(first)).toMatchObject([{ successorOf: first }, { successorOf: first }]);
    world.advance(30 * dayMs);
    await rotate();
    world.advance(rereadMs);
    expect(await all()).toHaveLength(2);
  });

  it("of one whose key may be in other hands leads nobody anywhere, nor do those before it", async () => {
    const first = await said();
    const second = await rotate();
    const third = await rotate(null);
    expect(third.until).toBe(null);
    world.advance(rereadMs);
    for (const pin of [first, second.now]) expect(await seen(pin)).toEqual(["pin", "pin"]);
    expect(await seen(third.now)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    // At once: who gets the key now must not be led to the one that was lost.
    expect(await said()).toBe(third.now);
  });

  it("is one, of two that are made at the same moment", async () => {
    const results = await Promise.allSettled([rotate(), rotate(), rotate()]);
    const made = results.filter(({ status }) => status === "fulfilled");
    world.advance(rereadMs);
    // One after the other is fine; both at once is not.
    expect(await all()).toHaveLength(1 + made.length);
    expect(made.length).toBeGreaterThan(0);
  });

  it("erases the key before: what is stored holds no way to sign with it", async () => {
    const { documents } = world.platform;
    const schema = (await import("zod")).z.looseObject({ seedSealed: (await import("zod")).z.string() });
    const collection = await documents.collection({ name: "keys_identity", schema, indexes: [] });
    const before = (await collection.get("current"))?.body.seedSealed ?? "";
    expect(before).not.toBe("");
    await rotate();
    expect(JSON.stringify(await collection.find({}))).not.toContain(before);
    expect(await collection.count({})).toBe(1);
  });

  it("stays what it was while the store is away, and is taken up when that is back", async () => {
    const before = await said();
    const { now } = await rotate();
    const stop = world.before("keys_identity.get", () => Promise.reject(new Error("away")));
    world.advance(rereadMs);
    expect(await seen(before)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    stop();
    world.advance(rereadMs);
    expect(await seen(before)).toMatchObject([{ fingerprint: now }, { fingerprint: now }]);
  });

  it("keeps nobody waiting for a store that stands still", async () => {
    const before = await said();
    const { now } = await rotate();
    const { promise, resolve: goOn } = Promise.withResolvers<void>();
    const stop = world.before("keys_identity.get", () => promise);
    world.advance(rereadMs);
    const startedMs = performance.now();
    expect(await seen(before)).toMatchObject([{ successorOf: null }, { successorOf: null }]);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    stop();
    goOn();
    world.advance(rereadMs);
    await expect.poll(() => seen(before)).toMatchObject([{ fingerprint: now }, { fingerprint: now }]);
  });
});

describe("the command", () => {
  const command = (...args: string[]) =>
    new Promise<{ readonly code: number; readonly out: string; readonly err: string }>((resolve) => {
      const file = new URL("../src/rotate.ts", import.meta.url).pathname;
      execFile(process.execPath, [file, ...args], { env: { PATH: process.env.PATH } }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      );
    });

  it("rotates the server of a data folder that is in use, and says what became of it", async () => {
    const dataDir = await mkdtemp(join(tmpdir(), "portcullis-rotation-"));
    await world.close();
    world = await startWorld({ replicas: 2, dataDir });
    const before = await said();
    // Its clock is not the test's: the word of the old key counts from now, by the machine.
    const { code, out, err } = await command("--data", dataDir, "--overlap-days", "7");
    expect([code, err]).toEqual([0, ""]);
    const now = /^now {4}([A-Za-z0-9_-]{22})$/m.exec(out)?.[1] ?? "";
    expect(out).toContain(`before ${before}`);
    expect(out).toContain("is led here until");
    world.advance(Math.max(rereadMs, Date.now() - world.now() + 1_000));
    expect(await seen(before)).toMatchObject([{ fingerprint: now }, { fingerprint: now }]);
    await rm(dataDir, { recursive: true, force: true });
  });

  it.each([
    [["--data", "/nowhere"], /there is no server's data/],
    [["--overlap-days", "0"], /whole number/],
    [["--overlap-days", "1.5"], /whole number/],
    [["--overlap-days", "7", "--compromised"], /no overlap/],
    [["--force"], /see --help/],
  ])("refuses %j and changes nothing", async (args, why) => {
    const { code, err } = await command(...args);
    expect(code).toBe(1);
    expect(err).toMatch(why);
  });
});
