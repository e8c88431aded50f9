import type { Caller } from "@portcullis/bus";
import { wakeHandshake, wakeQueue } from "@portcullis/contracts";
import type { Jobs } from "@portcullis/jobs";
import type { Ids } from "@portcullis/runtime";

export interface Waker {
  /** Tells the handshake that its wait has changed: now, and if that does not work, as often as it takes. */
  wake(waitId: string, handshake: string): Promise<void>;
  /** Once. @throws {ServiceError} it could not be told */
  call(waitId: string, handshake: string): Promise<void>;
}

/** The handshake is busy for the moment in which its client's own step is taken. */
const pausesMs = [0, 60, 250] as const;
const againAfterMs = 1_500;
/** With the pauses between them, which double, more than the ten minutes that a wait may last. */
const attempts = 12;

/**
 * The job comes first: whoever dies between a change and the telling leaves somebody who tells. It is taken back when the telling has
 * worked, which it nearly always does at once.
 */
export function createWaker(options: { readonly caller: Caller; readonly jobs: Jobs; readonly ids: Ids }): Waker {
  const { caller, jobs, ids } = options;

  async function call(waitId: string, handshake: string): Promise<void> {
    await caller.call(wakeHandshake, { handshake, waitId });
  }

  return {
    call,
    async wake(waitId, handshake) {
      const id = ids.id("wake");
      await jobs.enqueue(wakeQueue.name, { id, data: { waitId } }, { delayMs: againAfterMs, attempts, backoffMs: 500 });
      for (const pauseMs of pausesMs) {
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
        try {
          await call(waitId, handshake);
        } catch {
          continue;
        }
        await jobs.cancel(wakeQueue.name, id);
        return;
      }
    },
  };
}
