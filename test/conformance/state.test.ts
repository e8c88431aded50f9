import { statSync } from "node:fs";
import { join } from "node:path";
import { createIds } from "@portcullis/runtime";
import { openRooms, type State, scopedState } from "@portcullis/state";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { openRedisState } from "@portcullis/state/redis";
import { afterAll, describe, expect, test } from "vitest";
import { rejection, startWire, temporaryFolder, unique } from "./harness.ts";
import { stateSuite } from "./state.suite.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const file = join(folder.path, "private", "state.sqlite");
const url = process.env.REDIS_URL;
const clock = Date.now;

stateSuite({
  name: "embedded, in memory",
  open: async () => [openEmbeddedState({ file: ":memory:", clock })],
  target: null,
});

stateSuite({
  name: "embedded, in a file",
  open: async () => [openEmbeddedState({ file, clock }), openEmbeddedState({ file, clock })],
  target: { adapter: "embedded", at: file },
});

stateSuite({
  name: url ? "redis" : "redis (skipped: no REDIS_URL)",
  skip: !url,
  open: async () => {
    if (!url) throw new Error("no REDIS_URL");
    return [await openRedisState({ url }), await openRedisState({ url })];
  },
  target: { adapter: "engine", at: url ?? "" },
});

// A prefix is not another kind of store: every sentence holds for one that is looked at through it.
stateSuite({
  name: "scoped, embedded",
  open: async () => {
    const open = () =>
      scopedState(openEmbeddedState({ file: join(folder.path, "scoped", "state.sqlite"), clock }), "one:");
    return [open(), open()];
  },
  target: null,
});

stateSuite({
  name: url ? "scoped, redis" : "scoped, redis (skipped: no REDIS_URL)",
  skip: !url,
  open: async () => {
    if (!url) throw new Error("no REDIS_URL");
    return [scopedState(await openRedisState({ url }), "one:"), scopedState(await openRedisState({ url }), "one:")];
  },
  target: null,
});

describe("state: scoped", () => {
  test("no name that is used through it is a name outside, in any of the four spaces, nor the other way round", async () => {
    const whole = openEmbeddedState({ file: ":memory:", clock });
    const scoped = scopedState(whole, "one:");
    const value = new Uint8Array([1]);
    const use = async (state: State) => {
      const counted = { version: null, value, ttlMs: 1000, counterTtlMs: 1000 };
      const kept = { prefix: "kept:", value, ttlMs: 1000 };
      const put = [await state.create("entry", value, 1000), await state.create("counted", value, 1000)];
      const sums = [
        await state.replaceAndCount({ ...counted, key: "placed", counter: "places", kept }),
        await state.add("sum", 1, 1000),
      ];
      await state.deleteAndCount("counted", "deleted", 1000);
      await state.join("set", "x", clock() + 1000);
      return { put: put.map((version) => version !== null), sums, rose: await state.advance("mark", 1, "a", 1000) };
    };
    const all = { put: [true, true], sums: [1, 1], rose: true };
    expect(await use(scoped)).toEqual(all);
    expect(await use(whole)).toEqual(all);
    for (const name of ["entry", "placed", "kept:1"]) expect(await whole.get(`one:${name}`)).not.toBeNull();
    for (const name of ["places", "deleted", "sum"]) expect(await whole.sum(`one:${name}`)).toBe(1);
    expect(await whole.members("one:set")).toEqual(["x"]);
    expect(await whole.advance("one:mark", 1, "b", 1000)).toBe(false);
    await whole.close();
  });
});

describe("ids of rooms", () => {
  test("are told from other ids by whoever has the store, and by nobody else", async () => {
    const [here, elsewhere] = [0, 1].map(() => openEmbeddedState({ file: ":memory:", clock }));
    if (here === undefined || elsewhere === undefined) throw new Error("no store");
    const [one, replica, other] = [await openRooms(here), await openRooms(here), await openRooms(elsewhere)];
    const room = one.make();
    expect(room).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(replica.is(room)).toBe(true);
    expect(other.is(room)).toBe(false);
    const ids = createIds();
    for (const id of [ids.id(), ids.id("wait"), "", room.slice(1), `${room}A`, room.slice(0, -1)])
      expect(one.is(id)).toBe(false);
    await Promise.all([here.close(), elsewhere.close()]);
  });
});

describe("state: embedded only", () => {
  test("the injected clock decides what has expired, and the sweeper removes it from disk", async () => {
    let now = 1000;
    const state = openEmbeddedState({ file: ":memory:", clock: () => now, sweepEveryMs: 10 });
    const value = new Uint8Array([1]);
    await state.create("e", value, 500);
    await state.add("c", 1, 500);
    await state.advance("m", 9, "a", 500);
    await state.join("s", "x", 1500);
    now = 1499;
    expect(await state.get("e")).not.toBeNull();
    now = 1500;
    expect(await state.get("e")).toBeNull();
    await new Promise((resolve) => setTimeout(resolve, 60));
    now = 1000;
    expect(await state.get("e")).toBeNull();
    expect(await state.sum("c")).toBe(0);
    expect(await state.advance("m", 1, "b", 500)).toBe(true);
    expect(await state.members("s")).toEqual([]);
    await state.close();
  });

  test("folder and files are this user's alone", async () => {
    const state = openEmbeddedState({ file, clock });
    await state.add(unique("k"), 1, 1000);
    expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700);
    for (const each of [file, `${file}-wal`, `${file}-shm`]) expect(statSync(each).mode & 0o777).toBe(0o600);
    await state.close();
  });
});

describe.skipIf(!url)("state: redis only", () => {
  const commandTimeoutMs = 400;

  test("while Redis is gone operations reject at once, and work again afterwards", async () => {
    const wire = await startWire(url ?? "");
    const state = await openRedisState({ url: wire.url, commandTimeoutMs });
    await wire.cut();
    const attempts = await Promise.all([
      rejection(state.take("k")),
      rejection(state.add("k", 1, 1000)),
      rejection(state.ping()),
    ]);
    for (const { tookMs } of attempts) expect(tookMs).toBeLessThan(1000);
    await wire.mend();
    await expect
      .poll(
        () =>
          state.ping().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    await state.close();
    await wire.close();
  });

  test("what was sent and not answered rejects within its time and is not sent again", async () => {
    const wire = await startWire(url ?? "");
    const state = await openRedisState({ url: wire.url, commandTimeoutMs });
    const direct = await openRedisState({ url: url ?? "" });
    const key = unique("k");
    wire.freeze();
    expect((await rejection(state.add(key, 1, 60_000))).tookMs).toBeLessThan(2000);
    await wire.cut();
    await wire.mend();
    await expect
      .poll(
        () =>
          state.ping().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    expect(await direct.sum(key)).toBe(0);
    await state.close();
    await direct.close();
    await wire.close();
  });

  test("opening rejects within its time when nobody is there or nobody answers", async () => {
    const refused = openRedisState({ url: "redis://127.0.0.1:1", commandTimeoutMs });
    expect((await rejection(refused)).tookMs).toBeLessThan(2000);
    const wire = await startWire(url ?? "");
    wire.freeze();
    const silent = openRedisState({ url: wire.url, commandTimeoutMs });
    expect((await rejection(silent)).tookMs).toBeLessThan(2000);
    await wire.close();
  });

  test("key prefixes keep two installations apart", async () => {
    const [a, b] = [unique("a:"), unique("b:")];
    const one = await openRedisState({ url: url ?? "", keyPrefix: a });
    const other = await openRedisState({ url: url ?? "", keyPrefix: b });
    await one.add("k", 1, 60_000);
    expect(await other.sum("k")).toBe(0);
    await one.close();
    await other.close();
  });
});
