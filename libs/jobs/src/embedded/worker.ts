import { isFinal, JobLostError, publicName, toError } from "../failure.ts";
import type { Job } from "../port.ts";
import { inTrace } from "../trace.ts";
import type { Claimed, Store } from "./store.ts";

export interface EmbeddedWorkerOptions {
  readonly store: Store;
  readonly clock: () => number;
  readonly queue: string;
  readonly handler: (job: Job) => Promise<void>;
  readonly concurrency: number;
  readonly pollMs: number;
  readonly onExhausted: (job: Job, error: Error) => void;
  readonly onError: (error: Error) => void;
}

export interface EmbeddedWorker {
  readonly queue: string;
  /** Something may have become due. */
  wake(): void;
  close(): Promise<void>;
}

/** Takes due jobs until it is closed. It sleeps until the next one is due, but never longer than the poll interval. */
export function startWorker(options: EmbeddedWorkerOptions): EmbeddedWorker {
  const { store, queue, concurrency, pollMs, clock, onError } = options;
  const running = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  const takeDue = () => {
    clearTimeout(timer);
    if (closed) return;
    let sleepMs = pollMs;
    try {
      while (running.size < concurrency) {
        const claimed = store.claim(queue);
        if (!claimed) {
          sleepMs = Math.min(pollMs, Math.max(1, (store.nextAtMs(queue) ?? Number.POSITIVE_INFINITY) - clock()));
          break;
        }
        const run: Promise<void> = runClaimed(claimed, options)
          .catch((error: unknown) => onError(toError(error)))
          .finally(() => {
            store.letGo(claimed);
            running.delete(run);
            takeDue();
          });
        running.add(run);
      }
    } catch (error) {
      onError(toError(error));
    }
    timer = setTimeout(takeDue, sleepMs);
  };
  takeDue();

  return {
    queue,
    wake: () => setImmediate(takeDue),
    async close() {
      closed = true;
      clearTimeout(timer);
      await Promise.all(running);
    },
  };
}

async function runClaimed(claimed: Claimed, options: EmbeddedWorkerOptions): Promise<void> {
  const { store, queue, handler, onExhausted } = options;
  const { job, run, attempts } = claimed;
  const exhausted = (error: Error) => {
    if (store.fail(claimed, publicName(error))) onExhausted(job, error);
  };
  if (run > attempts) return exhausted(new JobLostError());

  try {
    await inTrace(claimed.trace, queue, run, () => handler(job));
  } catch (thrown) {
    const error = toError(thrown);
    if (isFinal(error, run, attempts)) return exhausted(error);
    return store.retry(claimed, claimed.backoffMs * 2 ** (run - 1));
  }
  store.complete(claimed);
}
