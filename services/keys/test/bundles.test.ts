import { generateIdentity, parseBundle, suiteIds } from "@portcullis/crypto";
import { createIds } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Bundles, createBundles } from "../src/bundles/bundles.ts";

const openingsMax = 5;
let nowMs: number;
let bundles: Bundles;
beforeEach(async () => {
  nowMs = 1_795_000_000_500;
  const { identity } = await generateIdentity();
  const { fingerprint: pin } = identity;
  const standing = { identity, successions: [], pin, fingerprints: [pin] };
  const identities = { current: async () => standing };
  bundles = createBundles({ identities, clock: () => nowMs, ids: createIds(), openingsMax });
});
afterEach(() => bundles.close());

describe("a server bundle", () => {
  it("is given out for half a minute, then there is another one", async () => {
    const first = await bundles.current();
    nowMs += 29_999;
    expect(await bundles.current()).toEqual(first);
    nowMs += 1;
    const second = await bundles.current();
    expect(second.kid).not.toBe(first.kid);
    expect(bundles.live(first.kid)).not.toBe(null);
  });

  it("is made once for many who ask at once", async () => {
    const all = await Promise.all(Array.from({ length: 10 }, () => bundles.current()));
    expect(new Set(all.map(({ kid }) => kid)).size).toBe(1);
  });

  it("says how long it is good, to the second and never too long, and offers every suite", async () => {
    const { bundle, expiresAtMs, kid } = await bundles.current();
    const parsed = parseBundle(bundle);
    expect(expiresAtMs).toBe(nowMs + 60_000);
    expect(parsed.exp).toBe(Math.floor(expiresAtMs / 1000));
    expect(parsed.kid).toBe(kid);
    expect(Object.keys(parsed.suites).sort()).toEqual([...suiteIds].sort());
  });

  it("opens for a quarter of a minute more than it is good, and never again", async () => {
    const { kid } = await bundles.current();
    nowMs += 75_000;
    expect(bundles.live(kid)?.privateKeys.size).toBe(suiteIds.length);
    nowMs += 1;
    expect(bundles.live(kid)).toBe(null);
    // Also when the clock is set back: what is gone is gone.
    bundles.close();
    nowMs -= 60_000;
    expect(bundles.live(kid)).toBe(null);
  });

  it("gives no secrets away with what is signed", async () => {
    const given = await bundles.current();
    expect(Object.keys(given).sort()).toEqual(["bundle", "expiresAtMs", "kid", "signature"]);
  });

  it("lets each encapsulation be opened for one opening only, which may come again", async () => {
    const { kid } = await bundles.current();
    const live = bundles.live(kid);
    const [enc, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    expect(live?.claim(enc, "edge.a frame")).toBe(true);
    expect(live?.claim(enc, "edge.a frame")).toBe(true);
    expect(live?.claim(enc, "edge.b frame")).toBe(false);
    expect(live?.claim(enc, "edge.a another")).toBe(false);
    expect(live?.claim(other, "edge.b frame")).toBe(true);
  });

  it("under which as much was opened as may be is followed by another one at once: nobody has to wait for it to grow old", async () => {
    const full = await bundles.current();
    for (let n = 0; n < openingsMax; n += 1) bundles.live(full.kid)?.claim(Uint8Array.of(n), `edge.${n}`);
    expect(bundles.live(full.kid)).toBe(null);
    const [next, same] = await Promise.all([bundles.current(), bundles.current()]);
    expect(next.kid).not.toBe(full.kid);
    expect(same).toEqual(next);
    expect(bundles.live(next.kid)).not.toBe(null);
  });

  it("of another name is none", () => {
    expect(bundles.live("nobody's")).toBe(null);
  });
});
