/**
 * Jobs: work that must happen later, once more after a failure, or in another process.
 *
 * Promise, the same for every adapter and proven by one conformance suite:
 * - at least once: a job that was enqueued is handled until its handler returns, through kill -9 of every process, up to
 *   `attempts` times; a handler must therefore be idempotent by job id;
 * - enqueueing an id that is waiting, delayed, running or among the failed changes nothing (the first one stands); an id
 *   that completed is forgotten, so it may be enqueued, and is then handled, anew;
 * - a job is not handled before its delay is over; there is no promise on order;
 * - a run counts when it starts, so that a job that kills its process comes to an end as well;
 * - after the last attempt the job is kept among the failed ones for an operator (the newest 10,000 for 30 days), and
 *   `onExhausted` is called. Of an error only its class is kept: messages quote addresses;
 * - data is JSON and small (<= 4 KiB). It must hold references, never a code, a secret or an address: whoever reads the
 *   queue learns nothing;
 * - the trace of whoever enqueued continues in the handler;
 * - while the engine is gone `enqueue` and `cancel` reject within seconds, and workers go on when it is back.
 *
 * Queues are named `[a-z][a-z0-9-]{0,47}`.
 */
export interface Job {
  /** `[A-Za-z0-9_-]{1,64}`, not all digits. Names the work: the same id twice is the same work. */
  readonly id: string;
  readonly data: Readonly<Record<string, string | number | boolean | null>>;
}

export interface EnqueueOptions {
  /** Default 0; at most 30 days. */
  readonly delayMs?: number;
  /** Runs in all, 1 to 20; default 5. */
  readonly attempts?: number;
  /** Wait before the second run; doubles each time. Default 1000; at most one hour. */
  readonly backoffMs?: number;
}

export interface WorkOptions {
  /** Jobs handled at once by this process; default 4. */
  readonly concurrency?: number;
  /** Called when a job failed for the last time, by the worker that noticed; not again after that worker's death. */
  readonly onExhausted?: (job: Job, error: Error) => void;
}

export interface Worker {
  /** Takes no more jobs and resolves when the running ones are done. */
  close(): Promise<void>;
}

export interface Jobs {
  /** Resolves when the job is stored as durably as the engine stores. @throws {TypeError} on an id, data or option as above. */
  enqueue(queue: string, job: Job, options?: EnqueueOptions): Promise<void>;
  /** Removes a job that waits for its first or next run; one that runs or has failed stays. @returns whether there was one. */
  cancel(queue: string, id: string): Promise<boolean>;
  work(queue: string, handler: (job: Job) => Promise<void>, options?: WorkOptions): Promise<Worker>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** Thrown by a handler to say: do not try again, it cannot succeed. */
export class UnrecoverableJobError extends Error {
  override readonly name = "UnrecoverableJobError";
}
