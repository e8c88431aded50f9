import { describe, expect, it } from "vitest";
import type { Alert } from "../src/alerts/alerts.ts";
import { createDeclines, declinesMin, isUnusual } from "../src/alerts/declines.ts";

const quiet = { accepted: 0, denied: 0 };

describe("refusals are unusual", () => {
  it.each([
    ["all of enough, where there was nothing before", { accepted: 0, denied: 20 }, quiet, true],
    ["not one fewer", { accepted: 0, denied: 19 }, quiet, false],
    ["not where half were let in", { accepted: 20, denied: 20 }, quiet, false],
    [
      "where more than half were refused, and few before",
      { accepted: 19, denied: 20 },
      { accepted: 90, denied: 10 },
      true,
    ],
    ["not where a third always is", { accepted: 5, denied: 25 }, { accepted: 60, denied: 40 }, false],
    ["at three times the share", { accepted: 10, denied: 30 }, { accepted: 75, denied: 25 }, true],
    ["not just below it", { accepted: 10, denied: 29 }, { accepted: 75, denied: 25 }, false],
  ])("%s", (_, window, day, expected) => {
    expect(isUnusual(window, day)).toBe(expected);
  });
});

describe("verdicts of a socket", () => {
  function start() {
    let nowMs = 1_795_000_000_000;
    const counters = new Map<string, number>();
    const raised: Alert[] = [];
    let writes = 0;
    const declines = createDeclines({
      state: {
        async add(key, amount) {
          writes += 1;
          const sum = (counters.get(key) ?? 0) + amount;
          counters.set(key, sum);
          return sum;
        },
        sum: async (key) => counters.get(key) ?? 0,
      },
      alerts: { raise: async (alert) => void raised.push(alert) },
      clock: () => nowMs,
      onFailure: (error) => {
        throw error;
      },
    });
    const times = (count: number, work: () => void) => Array.from({ length: count }, work);
    return {
      raised,
      writes: () => writes,
      advance: (ms: number) => {
        nowMs += ms;
      },
      async refuse(count: number, socketId = "one", cause: "refused" | "left" | "revoked" = "refused") {
        times(count, () => declines.denied(socketId, cause));
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
      async accept(count: number, socketId = "one") {
        times(count, () => declines.accepted(socketId));
        await new Promise((resolve) => setTimeout(resolve, 5));
      },
    };
  }

  it("raise an alert with the twentieth refusal in ten minutes, at two writes each", async () => {
    const world = start();
    await world.refuse(declinesMin - 1);
    await world.refuse(declinesMin, "another");
    expect(world.raised.map(({ socketId }) => socketId)).toEqual(["another"]);
    await world.refuse(1);
    expect(world.raised[1]).toEqual({ kind: "declines", socketId: "one", about: { accepted: 0, denied: 20 } });
    expect(world.writes()).toBe(2 * 2 * declinesMin);
  });

  it("do not where they come slowly, or where the day was like that", async () => {
    const world = start();
    for (let window = 0; window < 5; window += 1) {
      await world.refuse(15);
      await world.accept(15);
      world.advance(10 * 60_000);
    }
    await world.refuse(40);
    expect(world.raised).toEqual([]);
  });

  it("do once the day in which it was usual is over", async () => {
    const world = start();
    await world.accept(50);
    await world.refuse(50);
    expect(world.raised).toEqual([]);
    world.advance(23 * 3_600_000);
    await world.refuse(40);
    expect(world.raised).toEqual([]);
    world.advance(25 * 3_600_000);
    await world.refuse(20);
    expect(world.raised).toHaveLength(1);
  });

  it("are none of those who left, or lost what they stood on", async () => {
    const world = start();
    await world.refuse(100, "one", "left");
    await world.refuse(100, "one", "revoked");
    expect([world.raised.length, world.writes()]).toEqual([0, 0]);
  });
});
