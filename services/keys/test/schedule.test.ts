import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createSchedule } from "../src/handshake/schedule.ts";

const everyMs = 25;

/** Milliseconds until just behind a moment of this schedule. */
async function startOfInterval(startedAt: number): Promise<number> {
  const passed = Math.floor((performance.now() - startedAt) / everyMs);
  await sleep(startedAt + (passed + 1) * everyMs - performance.now());
  while (performance.now() < startedAt + (passed + 1) * everyMs);
  return performance.now();
}

/** When it says so after so much work, counted from its start and its arrival. */
async function saidAfter(workMs: number): Promise<{ fromStart: number; fromArrival: number }> {
  const startedAt = performance.now();
  const schedule = createSchedule(everyMs);
  await sleep(7);
  const arrivedAt = performance.now();
  const departure = schedule.arrive();
  if (workMs > 0) await sleep(workMs);
  await departure();
  const now = performance.now();
  return { fromStart: now - startedAt, fromArrival: now - arrivedAt };
}

describe("what is said by a schedule", () => {
  it.each([0, 1, 5, 14, 20])(
    "is said no earlier than an interval after it came, whatever came before (%i ms)",
    async (workMs) => {
      const { fromStart, fromArrival } = await saidAfter(workMs);
      expect(fromArrival).toBeGreaterThanOrEqual(everyMs);
      expect(fromStart).toBeGreaterThanOrEqual(2 * everyMs);
    },
  );

  it("is said at the next moment where its own has passed, and never in between", async () => {
    expect((await saidAfter(2 * everyMs)).fromStart).toBeGreaterThanOrEqual(3 * everyMs);
  });

  it("is said in the order in which it came, whichever was done first", async () => {
    const startedAt = performance.now();
    const schedule = createSchedule(everyMs);
    const said: number[] = [];
    // All of them within one interval, which a busy machine may spoil.
    await expect
      .poll(
        async () => {
          said.length = 0;
          await startOfInterval(startedAt);
          const arrivals = [0, 1, 2, 3].map((name) => ({ name, departure: schedule.arrive() }));
          await Promise.all(
            arrivals.toReversed().map(async ({ name, departure }) => {
              await departure();
              said.push(name);
            }),
          );
          return said;
        },
        { interval: 10 },
      )
      .toEqual([0, 1, 2, 3]);
  });

  it("does not carry the fraction of a millisecond in which the work ended", async () => {
    const startedAt = performance.now();
    const schedule = createSchedule(everyMs);
    // Of several, the best: a machine that is busy is late, and never early.
    const bestOf = async (spunMs: number) => {
      const late: number[] = [];
      for (let tries = 0; tries < 12; tries += 1) {
        const from = await startOfInterval(startedAt);
        const departure = schedule.arrive();
        while (performance.now() - from < spunMs);
        await departure();
        late.push((performance.now() - startedAt) % everyMs);
      }
      return Math.min(...late);
    };
    for (const spunMs of [2, 2.25, 2.5, 2.75]) expect(await bestOf(spunMs)).toBeLessThan(0.2);
  });

  it("keeps the loop turning once for all who leave together, whenever they came", async () => {
    const schedule = createSchedule(everyMs);
    const before = performance.eventLoopUtilization();
    await Promise.all(
      Array.from({ length: everyMs }, async (_, phaseMs) => {
        for (let round = 0; round < 10; round += 1) {
          await sleep(phaseMs);
          await schedule.arrive()();
        }
      }),
    );
    // One for each would be busy all the time.
    expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.5);
  });
});
