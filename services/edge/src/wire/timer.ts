import type { Clock } from "@portcullis/runtime";

// setTimeout fires at once for more.
const delayMsMax = 2 ** 31 - 1;

export interface Timer {
  /** Replaces what was set before. */
  at(epochMs: number, fire: () => void): void;
  clear(): void;
}

/** One moment of the clock, however far away. */
export function createTimer(clock: Clock): Timer {
  let handle: NodeJS.Timeout | undefined;
  const timer: Timer = {
    at(epochMs, fire) {
      clearTimeout(handle);
      const leftMs = epochMs - clock();
      handle = setTimeout(
        // Timers may run a moment early; an early end would be one that the deadline does not allow.
        () => (clock() >= epochMs ? fire() : timer.at(epochMs, fire)),
        Math.min(Math.max(1, leftMs), delayMsMax),
      );
    },
    clear() {
      clearTimeout(handle);
    },
  };
  return timer;
}

/** Resolves with the work, however it ends, or when so much time has passed. */
export async function withinMs(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work.catch(() => undefined), promise]);
  clearTimeout(timer);
}
