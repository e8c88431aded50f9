import { setTimeout as sleep } from "node:timers/promises";
import type { State } from "@portcullis/state";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startFixture, type Target, unique } from "./harness.ts";

export interface StateSubject {
  readonly name: string;
  /** Several adapters on the same store, as replicas of a service have them. */
  open(): Promise<readonly State[]>;
  /** How other processes reach it; null for one that lives in this process only. */
  readonly target: Target | null;
  /** Without an engine every test is skipped, by name. */
  readonly skip?: boolean;
}

const racers = 50;
const longMs = 60_000;
/**
 * Time passes for real here: engines expire by their own clocks. Long enough that what happens before its end does so on a
 * machine that is held up for a moment, too.
 */
const shortMs = 2_000;
const pastShort = () => sleep(shortMs + 50);

const bytes = (text: string) => new TextEncoder().encode(text);

/** Every sentence of `libs/state/src/port.ts`. */
export function stateSuite(subject: StateSubject): void {
  // Each test has keys of its own, so they can wait side by side.
  describe.skipIf(subject.skip)(`state: ${subject.name}`, { concurrent: true, timeout: 30_000 }, () => {
    let replicas: readonly State[] = [];
    let state: State;
    beforeAll(async () => {
      replicas = await subject.open();
      const [first] = replicas;
      if (!first) throw new Error("no replica");
      state = first;
    });
    afterAll(async () => {
      for (const replica of replicas) await replica.close();
    });

    const key = () => unique("key:");
    /** `racers` calls, spread over the replicas, all begun before any has ended. */
    const race = <R>(call: (replica: State, n: number) => Promise<R>): Promise<R[]> =>
      Promise.all(Array.from({ length: racers }, (_, n) => call(replicas[n % replicas.length] ?? state, n)));

    test("values are opaque bytes", async () => {
      for (const value of [
        new Uint8Array(0),
        new Uint8Array(256).map((_, n) => n),
        new Uint8Array(100_000).fill(255),
      ]) {
        const k = key();
        const version = await state.create(k, value, longMs);
        const entry = await state.get(k);
        expect(entry?.version).toBe(version);
        expect(Buffer.compare(entry?.value ?? bytes("none"), value)).toBe(0);
        expect(Buffer.compare((await state.take(k)) ?? bytes("none"), value)).toBe(0);
      }
      expect(await state.get(key())).toBeNull();
    });

    test("create writes only if nothing is there", async () => {
      const k = key();
      expect(await state.create(k, bytes("first"), longMs)).toEqual(expect.any(String));
      expect(await state.create(k, bytes("second"), longMs)).toBeNull();
      expect((await state.get(k))?.value).toEqual(bytes("first"));
    });

    test("replace is compare-and-set, and every write has a version of its own", async () => {
      const k = key();
      const first = String(await state.create(k, bytes("1"), longMs));
      const second = String(await state.replace(k, first, bytes("2"), longMs));
      expect(second).not.toBe(first);
      expect(await state.replace(k, first, bytes("lost"), longMs)).toBeNull();
      expect(await state.replace(k, "made up", bytes("lost"), longMs)).toBeNull();
      expect(await state.replace(k, "", bytes("lost"), longMs)).toBeNull();
      expect(await state.get(k)).toEqual({ value: bytes("2"), version: second });
      expect(await state.replace(key(), "", bytes("lost"), longMs)).toBeNull();
    });

    test("a key that was deleted and created again has another version", async () => {
      const k = key();
      const before = String(await state.create(k, bytes("same"), longMs));
      await state.delete(k);
      const after = String(await state.create(k, bytes("same"), longMs));
      expect(after).not.toBe(before);
      expect(await state.replace(k, before, bytes("lost"), longMs)).toBeNull();
    });

    test("delete tells whether it was there, with that version", async () => {
      const k = key();
      const version = String(await state.create(k, bytes("x"), longMs));
      expect(await state.delete(k, "made up")).toBe(false);
      expect(await state.delete(k, "")).toBe(false);
      expect(await state.delete(k, version)).toBe(true);
      expect(await state.delete(k, version)).toBe(false);
      await state.create(k, bytes("x"), longMs);
      expect(await state.delete(k)).toBe(true);
      expect(await state.delete(k)).toBe(false);
    });

    test("take reads and deletes", async () => {
      const k = key();
      await state.create(k, bytes("once"), longMs);
      expect(await state.take(k)).toEqual(bytes("once"));
      expect(await state.take(k)).toBeNull();
      expect(await state.get(k)).toBeNull();
    });

    test("replaceAndCount gives each write a number, and remembers it with what it is for", async () => {
      const [entry, counter, prefix] = [key(), key(), key()];
      const write = (version: string | null, value: string, keeps = true) =>
        state.replaceAndCount({
          key: entry,
          version,
          value: bytes(value),
          ttlMs: longMs,
          counter,
          counterTtlMs: longMs,
          kept: keeps ? { prefix, value: bytes(`kept ${value}`), ttlMs: longMs } : null,
        });
      const read = async () => {
        const found = await state.get(entry);
        if (found === null) throw new Error("nothing is there");
        const value = Buffer.from(found.value);
        return { text: value.subarray(0, -8).toString(), sum: value.readBigUInt64BE(value.length - 8), ...found };
      };
      expect(await write("", "made up")).toBeNull();
      expect(await write("made up", "made up")).toBeNull();
      expect(await state.sum(counter)).toBe(0);
      expect(await write(null, "one")).toBe(1);
      expect(await read()).toMatchObject({ text: "one", sum: 1n });
      expect(await write(null, "again")).toBeNull();
      const { version } = await read();
      expect(await write(version, "two")).toBe(2);
      expect(await write(version, "stale")).toBeNull();
      expect(await read()).toMatchObject({ text: "two", sum: 2n });
      expect((await state.get(`${prefix}1`))?.value).toEqual(bytes("kept one"));
      expect((await state.get(`${prefix}2`))?.value).toEqual(bytes("kept two"));
      expect(await write((await read()).version, "three", false)).toBe(3);
      expect(await state.get(`${prefix}3`)).toBeNull();
      expect(await state.sum(counter)).toBe(3);
    });

    test("replaceAndCount: of many who write at once one gets a number, and no number is left over", async () => {
      const [entry, counter, prefix] = [key(), key(), key()];
      const won = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          state.replaceAndCount({
            key: entry,
            version: null,
            value: bytes(`${n}`),
            ttlMs: longMs,
            counter,
            counterTtlMs: longMs,
            kept: { prefix, value: bytes(`${n}`), ttlMs: shortMs },
          }),
        ),
      );
      expect(won.filter((sum) => sum !== null)).toEqual([1]);
      expect(await state.sum(counter)).toBe(1);
      expect(await state.get(`${prefix}2`)).toBeNull();
      await pastShort();
      expect(await state.get(`${prefix}1`)).toBeNull();
    });

    test("deleteAndCount counts exactly where something was deleted", async () => {
      const [entry, counter] = [key(), key()];
      expect(await state.deleteAndCount(entry, counter, longMs)).toBe(false);
      expect(await state.sum(counter)).toBe(0);
      await state.create(entry, bytes("x"), longMs);
      expect(await state.deleteAndCount(entry, counter, longMs)).toBe(true);
      expect([await state.get(entry), await state.sum(counter)]).toEqual([null, 1]);
      expect(await state.deleteAndCount(entry, counter, longMs)).toBe(false);
      await state.create(entry, bytes("x"), shortMs);
      await pastShort();
      expect(await state.deleteAndCount(entry, counter, longMs)).toBe(false);
      expect(await state.sum(counter)).toBe(1);
    });

    test("deleteAndCount counts once, of many who delete at once", async () => {
      const [entry, counter] = [key(), key()];
      await state.create(entry, bytes("x"), longMs);
      const won = await Promise.all(Array.from({ length: 20 }, () => state.deleteAndCount(entry, counter, longMs)));
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(await state.sum(counter)).toBe(1);
    });

    test("deleteAndCount starts the counter's time to live with the first count", async () => {
      const [one, two, counter] = [key(), key(), key()];
      for (const entry of [one, two]) await state.create(entry, bytes("x"), longMs);
      await state.deleteAndCount(one, counter, shortMs);
      await state.deleteAndCount(two, counter, longMs);
      await pastShort();
      expect(await state.sum(counter)).toBe(0);
    });

    test("an entry past its time to live is never returned", async () => {
      const [a, b, c, d] = [key(), key(), key(), key()];
      const versions = await Promise.all([a, b, c, d].map((k) => state.create(k, bytes("x"), shortMs)));
      await pastShort();
      expect(await state.get(a)).toBeNull();
      expect(await state.take(b)).toBeNull();
      expect(await state.delete(c)).toBe(false);
      expect(await state.replace(d, String(versions[3]), bytes("revived"), longMs)).toBeNull();
    });

    test("an entry past its time to live never blocks a create", async () => {
      const k = key();
      await state.create(k, bytes("old"), shortMs);
      await pastShort();
      expect(await state.create(k, bytes("new"), longMs)).not.toBeNull();
      expect((await state.get(k))?.value).toEqual(bytes("new"));
    });

    test("replace starts the time to live anew", async () => {
      const [longer, shorter] = [key(), key()];
      await state.replace(longer, String(await state.create(longer, bytes("x"), shortMs)), bytes("y"), longMs);
      await state.replace(shorter, String(await state.create(shorter, bytes("x"), longMs)), bytes("y"), shortMs);
      await pastShort();
      expect((await state.get(longer))?.value).toEqual(bytes("y"));
      expect(await state.get(shorter)).toBeNull();
    });

    test("a counter adds up, also downwards, and is 0 when there is none", async () => {
      const k = key();
      expect(await state.sum(k)).toBe(0);
      expect(await state.add(k, 2, longMs)).toBe(2);
      expect(await state.add(k, 40, longMs)).toBe(42);
      expect(await state.add(k, -43, longMs)).toBe(-1);
      expect(await state.sum(k)).toBe(-1);
    });

    test("a counter that was reset starts anew, in sum and time to live, and touches nothing else", async () => {
      const k = key();
      await state.create(k, bytes("entry"), longMs);
      await state.add(k, 7, shortMs);
      await state.reset(k);
      expect(await state.sum(k)).toBe(0);
      expect(await state.add(k, 1, longMs)).toBe(1);
      await pastShort();
      expect(await state.sum(k)).toBe(1);
      expect((await state.get(k))?.value).toEqual(bytes("entry"));
      await state.reset(key());
    });

    test("a counter's time to live starts with the first add and is not extended", async () => {
      const k = key();
      await state.add(k, 1, shortMs);
      await state.add(k, 1, longMs);
      expect(await state.sum(k)).toBe(2);
      await pastShort();
      expect(await state.sum(k)).toBe(0);
      expect(await state.add(k, 5, longMs)).toBe(5);
    });

    test("a mark only rises, and its holder gets the same answer again", async () => {
      const k = key();
      expect(await state.advance(k, 0, "a", longMs)).toBe(true);
      expect(await state.advance(k, 5, "a", longMs)).toBe(true);
      expect(await state.advance(k, 5, "a", longMs)).toBe(true);
      expect(await state.advance(k, 5, "b", longMs)).toBe(false);
      expect(await state.advance(k, 4, "a", longMs)).toBe(false);
      expect(await state.advance(k, 0, "a", longMs)).toBe(false);
      expect(await state.advance(k, 6, "b", longMs)).toBe(true);
      expect(await state.advance(k, 5, "a", longMs)).toBe(false);
      expect(await state.advance(k, 10, "b", longMs)).toBe(true);
      expect(await state.advance(k, 9, "b", longMs)).toBe(false);
    });

    test("a mark holds the largest safe integer exactly", async () => {
      const k = key();
      expect(await state.advance(k, Number.MAX_SAFE_INTEGER - 1, "a", longMs)).toBe(true);
      expect(await state.advance(k, Number.MAX_SAFE_INTEGER, "b", longMs)).toBe(true);
      expect(await state.advance(k, Number.MAX_SAFE_INTEGER - 1, "a", longMs)).toBe(false);
    });

    test("a mark's time to live starts anew when it rises, not when it is repeated or refused", async () => {
      const [risen, repeated] = [key(), key()];
      await state.advance(risen, 1, "a", shortMs);
      await state.advance(risen, 2, "a", longMs);
      await state.advance(repeated, 1, "a", shortMs);
      await state.advance(repeated, 1, "a", longMs);
      await state.advance(repeated, 1, "b", longMs);
      await pastShort();
      expect(await state.advance(risen, 1, "b", longMs)).toBe(false);
      expect(await state.advance(repeated, 1, "b", longMs)).toBe(true);
    });

    test("a set holds its members until each one's expiry", async () => {
      const k = key();
      await state.join(k, "short", Date.now() + shortMs);
      await state.join(k, "long", Date.now() + longMs);
      await state.join(k, "past", Date.now() - 1000);
      expect((await state.members(k)).sort()).toEqual(["long", "short"]);
      await pastShort();
      expect(await state.members(k)).toEqual(["long"]);
      expect(await state.leave(k, "short")).toBe(false);
      expect(await state.leave(k, "past")).toBe(false);
      expect(await state.members(key())).toEqual([]);
    });

    test("a member already there gets the later expiry", async () => {
      const k = key();
      await state.join(k, "extended", Date.now() + shortMs);
      await state.join(k, "extended", Date.now() + longMs);
      await state.join(k, "not shortened", Date.now() + longMs);
      await state.join(k, "not shortened", Date.now() + shortMs);
      await pastShort();
      expect((await state.members(k)).sort()).toEqual(["extended", "not shortened"]);
    });

    test("a set that is bounded keeps those that expire last, of equal ones those whose names come last", async () => {
      const [k, other] = [key(), key()];
      const nowMs = Date.now();
      const join = (member: string, inMs: number, set = k) => state.join(set, member, nowMs + inMs, 3);
      await join("other's", 1, other);
      for (const [n, member] of ["b", "d", "a", "c"].entries()) await join(member, longMs + n);
      expect((await state.members(k)).sort()).toEqual(["a", "c", "d"]);
      // It is bounded, too.
      await join("too soon over", longMs - 1);
      expect((await state.members(k)).sort()).toEqual(["a", "c", "d"]);
      // Extended, and what was the soonest is another one.
      await join("d", longMs + 10);
      await join("e", longMs + 11);
      expect((await state.members(k)).sort()).toEqual(["c", "d", "e"]);
      for (const member of ["x", "z", "y", "ä"]) await join(member, 2 * longMs);
      expect((await state.members(k)).sort()).toEqual(["y", "z", "ä"]);
      // Whoever names no bound is not bound.
      await state.join(k, "more", nowMs + longMs);
      expect(await state.members(k)).toHaveLength(4);
      for (const bad of [0, -1, 1.5, Number.NaN])
        await expect(state.join(k, "m", nowMs + longMs, bad)).rejects.toThrow(RangeError);
    });

    test("what has expired takes no room in a set that is bounded", async () => {
      const k = key();
      const nowMs = Date.now();
      await state.join(k, "short", nowMs + shortMs, 2);
      await state.join(k, "past", nowMs - 1000, 2);
      await state.join(k, "long", nowMs + longMs, 2);
      expect((await state.members(k)).sort()).toEqual(["long", "short"]);
      await pastShort();
      await state.join(k, "next", nowMs + longMs, 2);
      expect((await state.members(k)).sort()).toEqual(["long", "next"]);
    });

    test(`of ${racers} that join a bounded set at once, the right ones stay`, async () => {
      const k = key();
      const nowMs = Date.now();
      await race((replica, n) => replica.join(k, `${n}`, nowMs + longMs + n, 10));
      const last = Array.from({ length: 10 }, (_, n) => `${racers - 10 + n}`);
      expect((await state.members(k)).sort()).toEqual(last.sort());
    });

    test("leave tells whether the member was there", async () => {
      const k = key();
      await state.join(k, "a", Date.now() + longMs);
      await state.join(k, "b", Date.now() + longMs);
      expect(await state.leave(k, "a")).toBe(true);
      expect(await state.leave(k, "a")).toBe(false);
      expect(await state.members(k)).toEqual(["b"]);
    });

    test("entries, counters, marks and sets do not touch each other", async () => {
      const k = key();
      await state.create(k, bytes("x"), longMs);
      expect(await state.add(k, 1, longMs)).toBe(1);
      expect(await state.advance(k, 1, "a", longMs)).toBe(true);
      await state.join(k, "m", Date.now() + longMs);
      expect(await state.delete(k)).toBe(true);
      expect(await state.sum(k)).toBe(1);
      expect(await state.advance(k, 1, "b", longMs)).toBe(false);
      expect(await state.members(k)).toEqual(["m"]);
    });

    test("names, numbers and times that an engine could not carry are refused", async () => {
      for (const k of ["", "x".repeat(513), "nul\0", "\ud800"]) {
        await expect(state.get(k)).rejects.toThrow(TypeError);
        await expect(state.create(k, bytes("x"), longMs)).rejects.toThrow(TypeError);
        await expect(state.join(key(), k, Date.now() + longMs)).rejects.toThrow(TypeError);
      }
      for (const ttlMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await expect(state.create(key(), bytes("x"), ttlMs)).rejects.toThrow(RangeError);
        await expect(state.add(key(), 1, ttlMs)).rejects.toThrow(RangeError);
      }
      await expect(state.add(key(), 0.5, longMs)).rejects.toThrow(RangeError);
      for (const mark of [-1, 1.5, 2 ** 53])
        await expect(state.advance(key(), mark, "a", longMs)).rejects.toThrow(RangeError);
    });

    test(`of ${racers} concurrent creates, one wins`, async () => {
      const k = key();
      const versions = await race((replica, n) => replica.create(k, bytes(`${n}`), longMs));
      expect(versions.filter((version) => version !== null)).toHaveLength(1);
      const winner = versions.findIndex((version) => version !== null);
      expect(await state.get(k)).toEqual({ value: bytes(`${winner}`), version: versions[winner] });
    });

    test(`of ${racers} concurrent replaces of one version, one wins`, async () => {
      const k = key();
      const version = String(await state.create(k, bytes("start"), longMs));
      const versions = await race((replica, n) => replica.replace(k, version, bytes(`${n}`), longMs));
      expect(versions.filter((each) => each !== null)).toHaveLength(1);
      const winner = versions.findIndex((each) => each !== null);
      expect(await state.get(k)).toEqual({ value: bytes(`${winner}`), version: versions[winner] });
    });

    test(`of ${racers} concurrent takers, one gets the value`, async () => {
      const k = key();
      await state.create(k, bytes("once"), longMs);
      const taken = await race((replica) => replica.take(k));
      expect(taken.filter((value) => value !== null)).toEqual([bytes("once")]);
    });

    test(`of ${racers} concurrent deletes, one was there`, async () => {
      const k = key();
      const version = String(await state.create(k, bytes("x"), longMs));
      const deleted = await race((replica, n) => replica.delete(k, n % 2 ? version : undefined));
      expect(deleted.filter((each) => each)).toHaveLength(1);
    });

    test(`of ${racers} concurrent advances to one value by different holders, one wins`, async () => {
      const k = key();
      const advanced = await race((replica, n) => replica.advance(k, 7, `holder ${n}`, longMs));
      expect(advanced.filter((each) => each)).toHaveLength(1);
    });

    test(`of ${racers} concurrent adds, none is lost and each sees its own sum`, async () => {
      const k = key();
      const sums = await race((replica) => replica.add(k, 1, longMs));
      expect(sums.sort((a, b) => a - b)).toEqual(Array.from({ length: racers }, (_, n) => n + 1));
      expect(await state.sum(k)).toBe(racers);
    });

    if (subject.target !== null) {
      test("of several processes, one wins each time", async () => {
        const k = key();
        const count = 30;
        const each = Array.from({ length: count }, (_, n) => n);
        await Promise.all(each.map((n) => state.create(`${k}-take-${n}`, bytes("once"), longMs)));
        const racing = ["p", "q", "r"].map((racer) =>
          startFixture("state-racer", { target: subject.target, key: k, racer, count }),
        );
        const won = (await Promise.all(racing.map((racer) => racer.end()))).flat();
        const wins = (what: string) =>
          won
            .filter((line) => line.startsWith(what))
            .map((line) => Number(line.split(" ")[1]))
            .sort((a, b) => a - b);
        expect(wins("take")).toEqual(each);
        expect(wins("create")).toEqual(each);
        // A mark may skip values, but no two processes have the same one.
        expect(new Set(wins("advance")).size).toBe(wins("advance").length);
        expect(wins("advance").at(-1)).toBe(count - 1);
        expect(await state.sum(`${k}-sum`)).toBe(3 * count);
      });

      test("a write that returned survives kill -9 of the caller", async () => {
        const k = key();
        const writer = startFixture("state-writer", { target: subject.target, key: k });
        expect(await writer.line()).toBe("written");
        await writer.kill();
        expect((await state.get(k))?.value).toEqual(bytes("kept"));
        expect(await state.take(`${k}-taken`)).toBeNull();
        expect(await state.sum(k)).toBe(3);
        expect(await state.advance(k, 7, "another", longMs)).toBe(false);
        expect(await state.members(k)).toEqual(["member"]);
      });
    }

    test("it answers a ping, and after close no more", async () => {
      const [replica] = await subject.open();
      await replica?.ping();
      await replica?.close();
      await replica?.close();
      await expect(replica?.ping()).rejects.toThrow();
    });
  });
}
