import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

/** Moments at which something may be said, at even intervals from the start on. */
export interface Schedule {
  /** Resolves at the first of them from now on. */
  next(): Promise<void>;
}

/** A timer comes up to a millisecond late, and one more for the rounding. */
const timerErrorMs = 2;

/**
 * What a refusal took tells what was found on the way: a document that is there is parsed, a key that lives is derived from, a box that opens is read. The same
 * look-ups make that a difference of a tenth of a millisecond, which is enough for who asks often. So who has proven nothing is answered at a moment that was fixed
 * before anything was looked up, and where that has passed, at the next one.
 *
 * To the moment itself, and not by a timer alone: an event loop sleeps in whole milliseconds from where the work has ended, so that a timer's end still has the
 * fraction of the work in it. For the last of it the loop is kept turning, which delays nobody else's work. There is no jitter: chance is averaged away, and a moment
 * that does not depend on the work has nothing to average.
 */
export function startSchedule(everyMs: number): Schedule {
  const startedAtMs = performance.now();
  return {
    async next() {
      const passed = Math.floor((performance.now() - startedAtMs) / everyMs);
      const dueMs = startedAtMs + (passed + 1) * everyMs;
      const idleMs = Math.floor(dueMs - performance.now()) - timerErrorMs;
      if (idleMs > 0) await sleep(idleMs);
      while (performance.now() < dueMs) await turn();
    },
  };
}
