import { openSqlite } from "@portcullis/sqlite";
import { checkConcurrency, checkData, checkId, checkOptions, checkQueue } from "../check.ts";
import { toError } from "../failure.ts";
import type { Jobs } from "../port.ts";
import { currentTrace } from "../trace.ts";
import { openStore } from "./store.ts";
import { type EmbeddedWorker, startWorker } from "./worker.ts";

export interface EmbeddedJobsOptions {
  /** Path of the SQLite file, which documents and state may share; `:memory:` for tests. Folder and file are made private. */
  readonly file: string;
  /** Epoch milliseconds; decides what is due. */
  readonly clock: () => number;
  /** How long a run may go without a sign of life before another process takes the job. Default 15000; at least 100. */
  readonly leaseMs?: number;
  /** How often to look for what another process enqueued. Default 250. */
  readonly pollMs?: number;
  /** Told when the queue itself cannot be read or written; what it was about is tried again. */
  readonly onError?: (error: Error) => void;
}

/** Jobs in one SQLite file. Each change is synced to disk before it returns. */
export function openEmbeddedJobs(options: EmbeddedJobsOptions): Jobs {
  const { clock, leaseMs = 15_000, pollMs = 250, onError = () => undefined } = options;
  if (!(leaseMs >= 100)) throw new RangeError("leaseMs is at least 100");
  const database = openSqlite(options.file);
  const store = openStore(database, clock, leaseMs);
  const workers = new Set<EmbeddedWorker>();
  const renewal = setInterval(() => {
    try {
      store.renewHeld();
    } catch (error) {
      onError(toError(error));
    }
  }, leaseMs / 3);
  renewal.unref();

  return {
    async enqueue(queue, job, options) {
      const envelope = { d: checkData(job.data), t: currentTrace() };
      store.add(checkQueue(queue), checkId(job.id), envelope, checkOptions(options));
      for (const worker of workers) if (worker.queue === queue) worker.wake();
    },
    async cancel(queue, id) {
      return store.remove(checkQueue(queue), checkId(id));
    },
    async work(queue, handler, options = {}) {
      const concurrency = checkConcurrency(options.concurrency);
      const worker = startWorker({
        store,
        clock,
        pollMs,
        onError,
        handler,
        concurrency,
        queue: checkQueue(queue),
        onExhausted: options.onExhausted ?? (() => undefined),
      });
      workers.add(worker);
      return {
        async close() {
          await worker.close();
          workers.delete(worker);
        },
      };
    },
    async ping() {
      database.prepare("SELECT 1").get();
    },
    async close() {
      await Promise.all([...workers].map((worker) => worker.close()));
      clearInterval(renewal);
      if (database.isOpen) database.close();
    },
  };
}
