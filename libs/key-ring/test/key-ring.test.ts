import { type Kms, KmsError } from "@portcullis/kms";
import { VaultError, VaultShutError } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AlteredRingError, createLeaseClock, rewrapRing, rotate } from "../src/mod.ts";
import type { Ring } from "../src/ring.ts";
import { openRingStore, ringId } from "../src/store.ts";
import { createWorld, leaseMs, opened, sealed, type World } from "./support/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.close());

/** As whoever writes to the store: without any key. */
async function alter(change: (ring: Ring) => Ring, service = "keys") {
  const { rings } = await openRingStore(world.documents, service);
  const found = await rings.get(ringId);
  if (found === null) throw new Error("no ring");
  await rings.replace(ringId, found.version, change(found.body));
}

describe("a key ring", () => {
  it("is one for any number of replicas that start at once, and none of its keys is stored as it is", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, index) => world.replica(`keys-${index}`)));
    const texts = all.map((ring, index) => sealed(ring, "a", `of ${index}`));
    for (const ring of all) expect(texts.map((text) => opened(ring, "a", text))).toEqual(all.map((_, i) => `of ${i}`));
    expect(new Set(all.map(({ vault }) => Buffer.from(vault.subkey("x")).toString("hex"))).size).toBe(1);
    const { body } = await (all[0] ?? (await world.replica("z"))).read();
    expect(body.keys.map(({ wrapped }) => wrapped.slice(0, 6))).toEqual(["local:"]);
  });

  it("opens again after a restart, and not with another master key", async () => {
    const ring = await world.replica("a");
    const text = sealed(ring, "a", "secret");
    await ring.close();
    expect(opened(await world.replica("b"), "a", text)).toBe("secret");
    world.masterKeys.current = new Uint8Array(32);
    await expect(world.replica("c")).rejects.toMatchObject({ name: "KmsError", code: "unopened" });
  });

  it("has no reader left for whom a rotation waits, where it was tried in vain: by who waits for the key service, again and again", async () => {
    const ring = await world.replica("a");
    world.kmsSays("unavailable");
    for (let tries = 0; tries < 3; tries += 1)
      await expect(world.replica("b")).rejects.toMatchObject({ code: "unavailable" });
    expect((await ring.readers()).map(({ instance }) => instance)).toEqual(["a"]);
  });

  it("of one service opens for no other, although both have the same key service", async () => {
    await world.replica("a");
    await world.replica("b", { service: "factors" });
    const { rings } = await openRingStore(world.documents, "keys");
    const stolen = (await rings.get(ringId))?.body;
    if (stolen === undefined) throw new Error("no ring");
    await alter(() => stolen, "factors");
    await expect(world.replica("c", { service: "factors" })).rejects.toMatchObject({ code: "unopened" });
  });

  it.each([
    ["a replaced key made current again", ({ keys, ...ring }: Ring) => ({ ...ring, keys: swap(keys) })],
    [
      "a key left out",
      ({ keys, ...ring }: Ring) => ({ ...ring, keys: keys.filter(({ state }) => state === "current") }),
    ],
    ["a time set back", ({ keys, ...ring }: Ring) => ({ ...ring, keys: keys.map((key) => ({ ...key, sinceMs: 0 })) })],
  ])("that was altered by whoever writes to the store is refused: %s", async (_, change) => {
    const ring = await world.replica("a");
    await rotate(world.rotation(ring));
    const text = sealed(ring, "a", "secret");
    await alter(change);
    await expect(ring.refresh()).rejects.toThrow(AlteredRingError);
    await expect(world.replica("b")).rejects.toThrow(AlteredRingError);
    // Who has read it before goes on, until the lease is over.
    expect(opened(ring, "a", text)).toBe("secret");
  });

  it("does not open keys in each other's places", async () => {
    const ring = await world.replica("a");
    await rotate(world.rotation(ring));
    await alter(({ keys: [one, two], ...rest }) => {
      if (one === undefined || two === undefined) throw new Error("no two keys");
      return {
        ...rest,
        keys: [
          { ...one, wrapped: two.wrapped },
          { ...two, wrapped: one.wrapped },
        ],
      };
    });
    await expect(world.replica("b")).rejects.toMatchObject({ code: "unopened" });
  });

  it("that vanishes is not replaced by a process that runs", async () => {
    const ring = await world.replica("a");
    const { rings } = await openRingStore(world.documents, "keys");
    await rings.delete(ringId);
    await expect(ring.refresh()).rejects.toThrow("vanished");
    expect(await rings.get(ringId)).toBeNull();
  });
});

describe("keys in memory", () => {
  it("last for a lease when the key service says no, are zeros then, and are opened again when it says yes", async () => {
    const ring = await world.replica("a");
    const text = sealed(ring, "a", "secret");
    world.kmsSays("denied");
    world.advance(leaseMs - 1);
    await expect(ring.refresh()).rejects.toMatchObject({ code: "denied" });
    expect(opened(ring, "a", text)).toBe("secret");
    await ring.check();
    world.advance(1);
    expect(() => ring.vault.unwrap(Buffer.from(text, "base64url"), "secrets/a")).toThrow(VaultShutError);
    expect(() => ring.vault.wrap(new Uint8Array(1), "x")).toThrow(VaultShutError);
    await expect(ring.check()).rejects.toThrow(VaultShutError);
    expect(world.logged.join("")).toContain("erased from memory");
    world.kmsSays(null);
    await ring.refresh();
    await ring.check();
    expect(opened(ring, "a", text)).toBe("secret");
  });

  it("are asked for again half-way through the lease, and not at each reading", async () => {
    const ring = await world.replica("a");
    const before = world.asked.unwraps;
    for (let minutes = 0; minutes < 29; minutes += 1) {
      world.advance(60_000);
      await ring.refresh();
    }
    expect(world.asked.unwraps).toBe(before);
    world.advance(60_000);
    await ring.refresh();
    expect(world.asked.unwraps).toBe(before + 2);
  });

  it("are refused to who stood still longer than a lease, before anything is sealed under what others have given up", async () => {
    const ring = await world.replica("a");
    world.advance(leaseMs);
    expect(() => sealed(ring, "a", "late")).toThrow(VaultShutError);
    await ring.refresh();
    sealed(ring, "a", "after another look");
  });

  it("go when the process closes", async () => {
    const ring = await world.replica("a");
    await ring.close();
    expect(() => sealed(ring, "a", "x")).toThrow(VaultShutError);
    const other = await world.replica("b");
    expect((await other.readers()).map(({ instance }) => instance)).toEqual(["b"]);
  });

  it("are counted in a time that neither a clock set back nor a suspended machine slows down", () => {
    let [wall, monotonic] = [1_000_000, 0];
    const now = createLeaseClock(
      () => wall,
      () => monotonic,
    );
    const start = now();
    [wall, monotonic] = [500_000, 10];
    expect(now() - start).toBe(10);
    [wall, monotonic] = [900_000, 20];
    expect(now() - start).toBe(400_010);
  });
});

describe("a new master key", () => {
  it("opens the ring beside the one before, and alone once the ring is wrapped anew; what is stored stays as it is", async () => {
    const ring = await world.replica("a");
    const text = sealed(ring, "a", "secret");
    const before = world.masterKeys.current;
    world.masterKeys.previous = [before];
    world.masterKeys.current = new Uint8Array(32).fill(7);
    const other = await world.replica("b");
    const rewrapping = rewrapRing(world.rotation(other));
    const reading = setInterval(() => void ring.refresh(), 1);
    await rewrapping;
    clearInterval(reading);
    world.masterKeys.previous = [];
    expect(opened(await world.replica("c"), "a", text)).toBe("secret");
    expect(() => opened(ring, "b", text)).toThrow(VaultError);
    expect(world.lines.at(-1)).toContain("not needed any more");
  });

  it("is waited for: a replica that cannot open the ring under it is named, and not passed over", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    const abort = new AbortController();
    const rewrapping = rewrapRing(world.rotation(b, { signal: abort.signal }));
    world.kmsSays(null);
    const stop = setTimeout(() => abort.abort(new Error("enough")), 50);
    await expect(rewrapping).rejects.toThrow();
    clearTimeout(stop);
    expect(world.lines.join("\n")).toMatch(/waiting for a:/);
    await a.refresh();
  });
});

describe("a key service whose word cannot be taken", () => {
  const elsewhere = { service: "keys", key: "elsewhere" };
  const lies: readonly [string, (honest: Kms) => Partial<Kms>][] = [
    [
      "wraps to what it does not open",
      (honest) => ({ wrap: async (key) => ({ ...(await honest.wrap(key, elsewhere)), by: "a liar" }) }),
    ],
    [
      "wraps another key than the one it was given",
      (honest) => ({ wrap: (_key, place) => honest.wrap(new Uint8Array(32).fill(9), place) }),
    ],
    [
      "lets us wrap, and not open what was wrapped",
      (honest) => {
        const fresh = new Set<string>();
        return {
          async wrap(key, place) {
            const made = await honest.wrap(key, place);
            fresh.add(made.wrapped);
            return made;
          },
          async unwrap(wrapped, place) {
            if (fresh.has(wrapped)) throw new KmsError("denied", "of the test");
            return honest.unwrap(wrapped, place);
          },
        };
      },
    ],
  ];

  it.each(lies)(
    "and %s has no ring made, none changed and none wrapped anew: what opened before opens behind it",
    async (_, lie) => {
      const liar = { ...world.kms, ...lie(world.kms) };
      await expect(world.replica("first", { kms: liar })).rejects.toThrow(KmsError);
      expect(await (await openRingStore(world.documents, "keys")).rings.get(ringId)).toBeNull();

      const text = sealed(await world.replica("a"), "a", "secret");
      const command = await world.replica("command", { kms: liar });
      const before = await command.read();
      await expect(rewrapRing(world.rotation(command))).rejects.toThrow(KmsError);
      await expect(rotate(world.rotation(command))).rejects.toThrow(KmsError);
      expect(await command.read()).toEqual(before);
      expect(opened(await world.replica("b"), "a", text)).toBe("secret");
    },
  );

  it("and names itself by what a terminal obeys has no ring made; nor is such a name shown that is in the store", async () => {
    const by = "aws-kms \u001b[2Jarn";
    const wrap: Kms["wrap"] = async (...given) => ({ ...(await world.kms.wrap(...given)), by });
    await expect(world.replica("a", { kms: { ...world.kms, wrap } })).rejects.toThrow();
    const { rings } = await openRingStore(world.documents, "keys");
    expect(await rings.get(ringId)).toBeNull();
    await world.replica("b");
    await expect(alter((ring) => ({ ...ring, index: { ...ring.index, by } }))).rejects.toThrow();
    await expect(world.replica("keys\u001b[2J")).rejects.toThrow();
  });

  it.each(["index", "of the ring"])(
    "and opens another key than before (%s) has none of it wrapped in its place",
    async (which) => {
      const text = sealed(await world.replica("a"), "a", "secret");
      let lies = false;
      const unwrap: Kms["unwrap"] = async (wrapped, place) =>
        lies && (place.key === "index") === (which === "index")
          ? new Uint8Array(32).fill(9)
          : world.kms.unwrap(wrapped, place);
      const command = await world.replica("command", { kms: { ...world.kms, unwrap } });
      const before = await command.read();
      lies = true;
      await expect(rewrapRing(world.rotation(command))).rejects.toThrow();
      expect(await command.read()).toEqual(before);
      expect(opened(await world.replica("b"), "a", text)).toBe("secret");
    },
  );
});

function swap(keys: Ring["keys"]): Ring["keys"] {
  return keys.map((key) => ({ ...key, state: key.state === "current" ? "previous" : "current" }));
}
