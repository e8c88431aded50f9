import { setImmediate as turn } from "node:timers/promises";
import type { Collection, Documents } from "@portcullis/documents";
import { VaultError } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { erasableAfterMs, type KeyRing, retire, rewrapRing, rotate } from "../src/mod.ts";
import { openRingStore } from "../src/store.ts";
import { createWorld, leaseMs, opened, sealed, secretsDefinition, statesOf, type World } from "./support/world.ts";

let world: World;
beforeEach(() => {
  world = createWorld();
});
afterEach(() => world.close());

/** The same documents, with `before` each call. */
function hooked(documents: Documents, before: (method: string) => Promise<void>): Documents {
  const hook = <T extends object>(collection: Collection<T>): Collection<T> =>
    new Proxy(collection, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property);
        if (typeof value !== "function") return value;
        return async (...given: unknown[]) => {
          await before(String(property));
          return Reflect.apply(value, target, given);
        };
      },
    });
  return {
    collection: async (definition) => hook(await documents.collection(definition)),
    ping: () => documents.ping(),
    close: async () => undefined,
  };
}

/** What only a crash leaves: every write from the nth on fails. */
function failingFrom(documents: Documents, nth: number, count: { writes: number }): Documents {
  return hooked(documents, async (method) => {
    if (!["insert", "replace", "delete"].includes(method)) return;
    count.writes += 1;
    if (count.writes >= nth) throw new Error("the process was killed");
  });
}

async function isAllCurrent(ring: KeyRing): Promise<boolean> {
  const collection = await world.documents.collection(secretsDefinition);
  const all = await collection.find({}, { limit: 1000 });
  return all.every(({ body }) => ring.vault.isCurrent(Buffer.from(body.sealed, "base64url")));
}

describe("another data key", () => {
  it("seals every document again, in its own place, and says what it does", async () => {
    const ring = await world.replica("a");
    for (let n = 0; n < 450; n += 1) await world.put(ring, `id${n}`, `secret ${n}`);
    const text = sealed(ring, "state", "in Redis");
    const tag = ring.vault.subkey("paths");
    await rotate(world.rotation(ring));
    expect(await isAllCurrent(ring)).toBe(true);
    expect(await world.open(ring, "id123")).toBe("secret 123");
    expect([opened(ring, "state", text), ring.vault.subkey("paths")]).toEqual(["in Redis", tag]);
    expect(await statesOf(ring)).toEqual(["previous", "current"]);
    expect(world.lines).toContain("test_secrets: 450 documents, 450 sealed again");
    expect(world.lines.at(-1)).toMatch(/^key [0-9a-f]{8} can be erased from 2026-01-03T00:00:00.000Z on$/);
  });

  it("is opened by every replica before any seals under it: nothing that one seals is closed to another, at any moment", async () => {
    const replicas = [await world.replica("a"), await world.replica("b"), await world.replica("c")];
    const [rotating = await world.replica("d")] = replicas;
    let isOver = false;
    const rotation = rotate(world.rotation(rotating)).finally(() => {
      isOver = true;
    });
    let [rounds, under] = [0, new Set<boolean>()];
    while (!isOver) {
      const texts = replicas.map((ring, index) => sealed(ring, "x", `of ${index}`));
      for (const ring of replicas)
        expect(texts.map((text) => opened(ring, "x", text))).toEqual(["of 0", "of 1", "of 2"]);
      // One at a time, in no order, as timers of different processes do.
      const chosen = replicas[Math.floor(Math.random() * replicas.length)];
      if (rounds % 4 === 3) await chosen?.refresh();
      under.add(rotating.vault.isCurrent(Buffer.from(texts[1] ?? "", "base64url")));
      rounds += 1;
      await turn();
    }
    await rotation;
    expect(under).toEqual(new Set([true, false]));
  });

  it("does not come into use while a replica has not read of it, and does once that one is gone for a lease", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    const rotation = rotate(world.rotation(a));
    const written = sealed(b, "x", "of b");
    while (!world.lines.some((line) => line.startsWith("waiting for b:"))) await turn();
    expect(await statesOf(a)).toEqual(["current", "next"]);
    expect(opened(a, "x", written)).toBe("of b");
    // It stands still for longer than its lease, and a minute for clocks that are off. It wakes up without keys.
    for (let minutes = 0; minutes < 62; minutes += 1) {
      world.advance(60_000);
      await a.refresh();
      await turn();
    }
    await rotation;
    expect(await statesOf(a)).toEqual(["previous", "current"]);
    expect(() => sealed(b, "x", "late")).toThrow(/not in memory/);
    await b.refresh();
    expect(opened(a, "x", sealed(b, "x", "under the new one"))).toBe("under the new one");
  });

  it("waits for a replica also where there is a thousand of others: of processes that died one after the other, for example", async () => {
    const a = await world.replica("a");
    const { readers } = await openRingStore(world.documents, "keys");
    const gone = { instance: "gone", knows: 1_000, expiresAtMs: world.clock() + leaseMs };
    for (let n = 0; n < 1_200; n += 1) await readers.insert(`b-${String(n).padStart(4, "0")}`, gone);
    const z = await world.replica("z");
    const rotation = rotate(world.rotation(a));
    for (let turns = 0; turns < 50; turns += 1) await turn();
    expect(world.lines.join("\n")).toContain("waiting for z:");
    expect(await statesOf(a)).toEqual(["current", "next"]);
    const reading = setInterval(() => void z.refresh(), 1);
    await rotation;
    clearInterval(reading);
  });

  it("loses nothing that is written, changed or deleted meanwhile", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    const collection = await world.documents.collection(secretsDefinition);
    for (let n = 0; n < 250; n += 1) await world.put(a, `id${n}`, "first");
    let isOver = false;
    // Others get a turn between any two of its steps, as over a network.
    const slow = hooked(world.documents, () => turn());
    const rotation = rotate(world.rotation(a, { documents: slow })).finally(() => {
      isOver = true;
    });
    const expected = new Map<string, string>(Array.from({ length: 250 }, (_, n) => [`id${n}`, "first"]));
    for (let n = 0; !isOver; n += 1) {
      const id = `id${n % 250}`;
      const found = await collection.get(id);
      if (n % 10 === 9 && found !== null && (await collection.delete(id))) expected.delete(id);
      else if (
        found !== null &&
        (await collection.replace(id, found.version, { sealed: sealed(b, id, `change ${n}`), note: "" }))
      )
        expected.set(id, `change ${n}`);
      await world.put(b, `new${n}`, "new");
      expected.set(`new${n}`, "new");
      if (n % 3 === 0) await b.refresh();
      await turn();
    }
    await rotation;
    for (const [id, text] of expected) expect(await world.open(b, id), id).toBe(text);
    for (let n = 0; n < 250; n += 1) if (!expected.has(`id${n}`)) expect(await world.open(b, `id${n}`)).toBeNull();
    expect(await isAllCurrent(a)).toBe(true);
  });

  it("is finished by the next one who is asked, wherever the one before was killed, and is one rotation", async () => {
    for (let nth = 1; ; nth += 1) {
      const own = createWorld();
      try {
        const ring = await own.replica("a");
        for (let n = 0; n < 3; n += 1) await own.put(ring, `id${n}`, `secret ${n}`);
        const count = { writes: 0 };
        const killed = failingFrom(own.documents, nth, count);
        const reading = setInterval(() => void ring.refresh(), 1);
        const first = await own
          .replica("dying", { documents: killed })
          .then((dying) => rotate(own.rotation(dying, { documents: killed })))
          .then(
            () => "done",
            () => "died",
          );
        clearInterval(reading);
        // Whoever died is registered still, until its lease is over.
        own.advance(leaseMs + 60_000);
        await ring.refresh();
        if (!(await isSettled(ring))) await rotate(own.rotation(ring));
        expect(await statesOf(ring), `killed at write ${nth}`).toEqual(["previous", "current"]);
        for (let n = 0; n < 3; n += 1) expect(await own.open(ring, `id${n}`)).toBe(`secret ${n}`);
        if (first === "done") {
          expect(count.writes).toBeGreaterThan(6);
          return;
        }
      } finally {
        await own.close();
      }
    }
  });

  it("is one, however many ask for it at once", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    for (let n = 0; n < 20; n += 1) await world.put(a, `id${n}`, "secret");
    await Promise.all([rotate(world.rotation(a)), rotate(world.rotation(b))]);
    expect(await statesOf(a)).toEqual(["previous", "current"]);
    expect([await isAllCurrent(a), await world.open(b, "id7")]).toEqual([true, "secret"]);
    expect(world.lines.join("\n")).toMatch(/going on with (theirs|the rotation)/);
  });

  it("is not in the way of whoever changes the ring at the same moment: what another has just added is opened before anything is written behind it", async () => {
    const b = await world.replica("b");
    let gets = Number.NEGATIVE_INFINITY;
    const slow = hooked(world.documents, async (method) => {
      if (method !== "get") return;
      gets += 1;
      // Between the look that opens all keys and the one behind which it is written.
      if (gets === 2) await b.change((keys) => [...keys, next]);
    });
    const a = await world.replica("a", { documents: slow });
    const next = await b.makeKey("next");
    gets = 0;
    const written = await a.change((keys) => keys);
    expect(written?.body.keys.map(({ state }) => state)).toEqual(["current", "next"]);
    await (await world.replica("c")).check();
  });

  it("loses nothing where two operators rotate, wrap anew and retire at once", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    for (let n = 0; n < 40; n += 1) await world.put(a, `id${n}`, `secret ${n}`);
    const reading = setInterval(() => {
      for (const ring of [a, b]) ring.refresh().catch(() => undefined);
    }, 1);
    const acts = [rotate, rewrapRing, rotate, rewrapRing] as const;
    const operate = async (ring: KeyRing, order: readonly (typeof acts)[number][]) => {
      for (const act of order)
        await act(world.rotation(ring)).catch((error: unknown) => {
          // Of two who write at once one is told so.
          expect(String(error)).toMatch(/at this moment/);
        });
    };
    await Promise.all([operate(a, acts), operate(b, acts.toReversed())]);
    world.advance(erasableAfterMs);
    await Promise.all([a.refresh(), b.refresh()]);
    await Promise.all([a, b].map((ring) => retire(world.rotation(ring), { unreadableToo: false })));
    clearInterval(reading);
    const fresh = await world.replica("fresh");
    for (let n = 0; n < 40; n += 1) expect(await world.open(fresh, `id${n}`)).toBe(`secret ${n}`);
    expect(await statesOf(fresh)).toEqual(["current"]);
  });

  it("is refused where there are as many as may be", async () => {
    const ring = await world.replica("a");
    for (let n = 0; n < 7; n += 1) await rotate(world.rotation(ring));
    await expect(rotate(world.rotation(ring))).rejects.toThrow("keys retire");
  });

  it("leaves alone what no key opens, says where it is, and does not stop at it", async () => {
    const ring = await world.replica("a");
    await world.put(ring, "good", "secret");
    const collection = await world.documents.collection(secretsDefinition);
    await collection.insert("moved", { sealed: sealed(ring, "elsewhere", "x"), note: "" });
    await rotate(world.rotation(ring));
    expect(world.lines).toContain("test_secrets: 1 documents have something that no key opens");
    expect(await world.open(ring, "good")).toBe("secret");
  });
});

describe("the key before", () => {
  it("opens what is short-lived for two days, and is gone from store and memory after them", async () => {
    const ring = await world.replica("a");
    const inRedis = sealed(ring, "state", "in Redis");
    await rotate(world.rotation(ring));
    world.advance(erasableAfterMs - 1);
    await ring.refresh();
    expect(await retire(world.rotation(ring), { unreadableToo: false })).toEqual([]);
    expect(opened(ring, "state", inRedis)).toBe("in Redis");
    world.advance(1);
    expect(await retire(world.rotation(ring), { unreadableToo: false })).toHaveLength(1);
    expect(await statesOf(ring)).toEqual(["current"]);
    expect(() => opened(ring, "state", inRedis)).toThrow(VaultError);
  });

  it("is looked for once more before it is erased: who stood still for days may have sealed under it", async () => {
    const ring = await world.replica("a");
    const late = sealed(ring, "late", "written by a process that stood still");
    await rotate(world.rotation(ring));
    world.advance(erasableAfterMs);
    await ring.refresh();
    const collection = await world.documents.collection(secretsDefinition);
    await collection.insert("late", { sealed: late, note: "" });
    expect(await retire(world.rotation(ring), { unreadableToo: false })).toHaveLength(1);
    expect(await world.open(ring, "late")).toBe("written by a process that stood still");
  });

  it("stays while there is something that no key opens, unless that is said to be lost", async () => {
    const ring = await world.replica("a");
    const collection = await world.documents.collection(secretsDefinition);
    await collection.insert("moved", { sealed: sealed(ring, "elsewhere", "x"), note: "" });
    await rotate(world.rotation(ring));
    world.advance(erasableAfterMs);
    await ring.refresh();
    expect(await retire(world.rotation(ring), { unreadableToo: false })).toEqual([]);
    expect(await statesOf(ring)).toEqual(["previous", "current"]);
    expect(await retire(world.rotation(ring), { unreadableToo: true })).toHaveLength(1);
  });

  it("is not erased while a replica that is registered does not know the ring as it is", async () => {
    const [a, b] = [await world.replica("a"), await world.replica("b")];
    await Promise.all([rotate(world.rotation(a)), rotate(world.rotation(b))]);
    world.advance(erasableAfterMs);
    await b.refresh();
    await a.rewrap();
    const retiring = retire(world.rotation(a), { unreadableToo: false });
    while (!world.lines.some((line) => line.startsWith("waiting for b:"))) await turn();
    expect(await statesOf(a)).toEqual(["previous", "current"]);
    await b.refresh();
    expect(await retiring).toHaveLength(1);
  });
});

/** Whether a rotation was carried out as a whole. */
async function isSettled(ring: KeyRing): Promise<boolean> {
  const { keys } = (await ring.read()).body;
  return keys.length === 2 && keys.some(({ settledAtMs }) => settledAtMs !== null);
}
