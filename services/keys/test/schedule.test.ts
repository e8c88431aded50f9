import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { startSchedule } from "../src/handshake/schedule.ts";

const everyMs = 25;

/** When it says so after so much work, counted from its start. */
async function saidAfter(workMs: number): Promise<number> {
  const startedAt = performance.now();
  const schedule = startSchedule(everyMs);
  if (workMs > 0) await sleep(workMs);
  await schedule.next();
  return performance.now() - startedAt;
}

describe("what is said by a schedule", () => {
  it.each([0, 1, 5, 14])("is never said before its moment, whatever came before (%i ms)", async (workMs) => {
    expect(await saidAfter(workMs)).toBeGreaterThanOrEqual(everyMs);
  });

  it("is said at the next moment where the first has passed, and never in between", async () => {
    expect(await saidAfter(everyMs + 5)).toBeGreaterThanOrEqual(2 * everyMs);
  });

  it("does not carry the fraction of a millisecond in which the work ended", async () => {
    // Of several, the best: a machine that is busy is late, and never early.
    const bestOf = async (spunMs: number) => {
      const late: number[] = [];
      for (let tries = 0; tries < 12; tries += 1) {
        const startedAt = performance.now();
        const schedule = startSchedule(everyMs);
        while (performance.now() - startedAt < spunMs);
        await schedule.next();
        late.push(performance.now() - startedAt - everyMs);
      }
      return Math.min(...late);
    };
    for (const spunMs of [2, 2.25, 2.5, 2.75]) expect(await bestOf(spunMs)).toBeLessThan(0.2);
  });
});
