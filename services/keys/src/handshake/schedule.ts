import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";

/** Moments at even intervals, at which all that is due is said at once. */
export interface Schedule {
  /** To be called before anything is looked up: it fixes the moment. */
  arrive(): Departure;
}

/** Resolves at the moment that was fixed; where it has passed, at the next one. */
export type Departure = () => Promise<void>;

/** A timer comes up to a millisecond late, and one more for the rounding. */
const timerErrorMs = 2;

interface Waiting {
  readonly place: number;
  readonly leave: () => void;
}

/**
 * What a refusal took tells what was found on the way. The same look-ups make that a difference of a tenth of a millisecond, which is enough for who asks often. So who
 * has proven nothing is answered at a moment that follows from when they came: the first of the schedule that leaves whole `everyMs` for the work. Three things are not to show through:
 *
 * - The fraction of the work. An event loop sleeps in whole milliseconds from where the work has ended, so that a timer's end still has it. For the last of it the loop is kept
 *   turning, which delays nobody else's work. There is no jitter: chance is averaged away, and a moment that does not depend on the work has nothing to average.
 * - Which of two that came together was done first: that needs no clock at all (Van Goethem et al., "Timeless Timing Attacks", USENIX Security 2020). Those who leave
 *   together leave in the order in which they came.
 * - How much is refused. One schedule for all keeps the loop turning once for all who leave together, a tenth of a core at most; with one for each, some
 *   hundreds in a second keep it turning without end.
 *
 * Not the next moment from now, whatever was done by then: who chooses when they come would let the work end just there, and turn a tenth of a millisecond into a whole interval.
 */
export function createSchedule(everyMs: number): Schedule {
  const startedAtMs = performance.now();
  const departures = new Map<number, Waiting[]>();
  let arrivals = 0;

  const intervals = () => Math.floor((performance.now() - startedAtMs) / everyMs);

  async function depart(moment: number): Promise<void> {
    const dueMs = startedAtMs + moment * everyMs;
    const idleMs = Math.floor(dueMs - performance.now()) - timerErrorMs;
    if (idleMs > 0) await sleep(idleMs);
    while (performance.now() < dueMs) await turn();
    const leaving = departures.get(moment) ?? [];
    departures.delete(moment);
    for (const { leave } of leaving.toSorted((one, other) => one.place - other.place)) leave();
  }

  return {
    arrive() {
      const place = arrivals;
      arrivals += 1;
      const fixed = intervals() + 2;
      return () =>
        new Promise((leave) => {
          const moment = Math.max(fixed, intervals() + 1);
          const others = departures.get(moment);
          if (others !== undefined) others.push({ place, leave });
          else {
            departures.set(moment, [{ place, leave }]);
            void depart(moment);
          }
        });
    },
  };
}
