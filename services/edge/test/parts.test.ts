import type { Caller } from "@portcullis/bus";
import { ServiceError } from "@portcullis/contracts";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createBundleKeeper } from "../src/connection/bundle-keeper.ts";
import { createSessionRegistry, type Farewell, type LiveSession } from "../src/sessions/registry.ts";
import { createTimer } from "../src/wire/timer.ts";
import { createTokenBucket } from "../src/wire/token-bucket.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());
const clock = () => Date.now();
const quiet = { info: () => {}, warn: () => {} };

describe("the bundle keeper", () => {
  function keeperOf(answer: (calls: number) => Promise<{ expiresAtMs: number }>) {
    let calls = 0;
    // The only contract that it asks is the bundle's.
    const call = async () => ({
      bundle: new Uint8Array(1),
      signature: new Uint8Array(64),
      kid: `kid${++calls}`,
      replica: "r1",
      ...(await answer(calls)),
    });
    const keeper = createBundleKeeper({
      caller: { call: call as unknown as Caller["call"] },
      clock,
      log: quiet,
      jitter: () => 0.5,
    });
    return { keeper, calls: () => calls };
  }

  it("has a fresh one at every moment, long before the old one expires", async () => {
    const { keeper, calls } = keeperOf(async () => ({ expiresAtMs: Date.now() + 60_000 }));
    await keeper.refresh();
    for (let second = 0; second < 300; second += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      expect((keeper.current()?.expiresAtMs ?? 0) - Date.now()).toBeGreaterThan(25_000);
    }
    expect(calls()).toBeGreaterThanOrEqual(8);
    expect(calls()).toBeLessThanOrEqual(13);
    keeper.stop();
    await vi.advanceTimersByTimeAsync(100_000);
    expect(keeper.current()).toBeNull();
    expect(vi.getTimerCount()).toBe(0);
  });

  it("has none once the last one is about to expire, tries again without a storm, and recovers", async () => {
    let broken = false;
    const { keeper, calls } = keeperOf(async () => {
      if (broken) throw new ServiceError("unavailable");
      return { expiresAtMs: Date.now() + 60_000 };
    });
    await keeper.refresh();
    broken = true;
    await vi.advanceTimersByTimeAsync(57_500);
    expect(keeper.current()).not.toBeNull();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(keeper.current()).toBeNull();
    await vi.advanceTimersByTimeAsync(600_000);
    expect(calls()).toBeLessThan(200);
    broken = false;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(keeper.current()).not.toBeNull();
    keeper.stop();
  });

  it("asks once however many want to know", async () => {
    const { keeper, calls } = keeperOf(async () => ({ expiresAtMs: Date.now() + 60_000 }));
    await Promise.all([keeper.refresh(), keeper.refresh(), keeper.refresh()]);
    expect(calls()).toBe(1);
    keeper.stop();
  });

  it("drops the bundle of a replica that is gone, and a forgotten key, but nothing newer", async () => {
    const { keeper, calls } = keeperOf(async () => ({ expiresAtMs: Date.now() + 60_000 }));
    await keeper.refresh();
    keeper.discard({ kid: "older", replica: "r1" }, "key");
    keeper.discard({ kid: "kid1", replica: "r0" }, "replica");
    expect(keeper.current()?.kid).toBe("kid1");
    keeper.discard({ kid: "kid1", replica: "r1" }, "key");
    expect(keeper.current()).toBeNull();
    await vi.advanceTimersByTimeAsync(0);
    expect(keeper.current()?.kid).toBe("kid2");
    expect(calls()).toBe(2);
    keeper.stop();
  });
});

describe("the registry", () => {
  const session = (sid: string, heard: Farewell[] = []): LiveSession => ({
    sid,
    hid: "h1",
    deliver: () => false,
    socketId: "sock",
    epoch: null,
    write: () => {},
    flush: () => {},
    end: (farewell) => void heard.push(farewell),
    expire: () => {},
    nudge: () => {},
  });
  const farewell = { frame: null, closeCode: 4504 };

  it("remembers for a minute, and no longer, that a session must not begin", () => {
    const registry = createSessionRegistry(clock);
    registry.end("s1", farewell);
    vi.setSystemTime(Date.now() + 59_999);
    expect(registry.add(session("s1"))).toMatchObject(farewell);
    expect(registry.held()).toEqual([]);
    vi.setSystemTime(Date.now() + 1);
    expect(registry.add(session("s1"))).toBeNull();
  });

  it("remembers a bounded number, the youngest", () => {
    const registry = createSessionRegistry(clock);
    for (let n = 0; n <= 10_000; n += 1) registry.end(`s${n}`, farewell);
    expect(registry.add(session("s0"))).toBeNull();
    expect(registry.add(session("s1"))).toMatchObject(farewell);
    expect(registry.add(session("s10000"))).toMatchObject(farewell);
  });

  it("ends what is here, and keeps apart two connections that claim one session", () => {
    const registry = createSessionRegistry(clock);
    const heard: Farewell[] = [];
    const first = session("s1", heard);
    registry.add(first);
    const second = session("s1");
    registry.add(second);
    expect(heard).toEqual([{ frame: null, closeCode: 4506 }]);
    registry.remove(first);
    expect(registry.held()).toEqual([{ sid: "s1", hid: "h1" }]);
    registry.remove(second);
    registry.endLive("s1", farewell);
    expect(registry.add(session("s1"))).toBeNull();
  });
});

describe("small parts", () => {
  it("a token bucket allows its rate and not more, also when the clock is set back", () => {
    const bucket = createTokenBucket(5, clock);
    const taken = () => Array.from({ length: 10 }, () => bucket.take()).filter(Boolean).length;
    expect(taken()).toBe(5);
    vi.setSystemTime(Date.now() + 400);
    expect(taken()).toBe(2);
    vi.setSystemTime(Date.now() - 3_600_000);
    expect(taken()).toBe(0);
    vi.setSystemTime(Date.now() + 60_000);
    expect(taken()).toBe(5);
  });

  it("a timer fires at its moment, however far that is, once, and not after it was cleared", async () => {
    const timer = createTimer(clock);
    const fire = vi.fn();
    timer.at(Date.now() + 40 * 86_400_000, fire);
    await vi.advanceTimersByTimeAsync(40 * 86_400_000 - 1);
    expect(fire).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(fire).toHaveBeenCalledTimes(1);
    timer.at(Date.now() + 10, fire);
    timer.clear();
    await vi.advanceTimersByTimeAsync(100);
    expect(fire).toHaveBeenCalledTimes(1);
  });
});
