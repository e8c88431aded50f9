import type { Logger } from "@portcullis/runtime";

/** Says at intervals how far the messages of a socket have come, until it has been silent for a while: whoever missed the last one notices. */
export interface Ticks {
  /** Something was said: there will be a tick, and then a few more. */
  after(socketId: string): void;
  close(): void;
}

const socketsMax = 10_000;
const ticksMax = 4;

/** @param options.everyMs between them. */
export function createTicks(options: {
  readonly everyMs: number;
  readonly tick: (socketId: string) => Promise<void>;
  readonly log: Pick<Logger, "warn">;
}): Ticks {
  const { everyMs, tick, log } = options;
  const due = new Map<string, { readonly timer: NodeJS.Timeout; left: number }>();

  function fire(socketId: string): void {
    const scheduled = due.get(socketId);
    if (scheduled === undefined) return;
    scheduled.left -= 1;
    if (scheduled.left === 0) {
      clearInterval(scheduled.timer);
      due.delete(socketId);
    }
    tick(socketId).catch((error: unknown) => log.warn("a tick could not be sent", { socket: socketId }, error));
  }

  return {
    after(socketId) {
      const scheduled = due.get(socketId);
      if (scheduled === undefined && due.size >= socketsMax) return;
      if (scheduled === undefined) {
        const timer = setInterval(fire, everyMs, socketId);
        timer.unref();
        due.set(socketId, { timer, left: ticksMax });
      } else scheduled.left = ticksMax;
    },
    close() {
      for (const { timer } of due.values()) clearInterval(timer);
      due.clear();
    },
  };
}
