import { Queue } from "bullmq";
import { checkConcurrency, checkData, checkId, checkOptions, checkQueue } from "../check.ts";
import type { Envelope } from "../envelope.ts";
import { toError } from "../failure.ts";
import { failedKeptMax, failedKeptMs } from "../limits.ts";
import type { Jobs, Worker } from "../port.ts";
import { currentTrace } from "../trace.ts";
import { toBullId } from "./bull-id.ts";
import { connectProducer, within } from "./connect.ts";
import { startWorker } from "./worker.ts";

export interface BullJobsOptions {
  /** `redis://` or `rediss://`, with credentials where the server wants them. Redis 6.2 or newer. */
  readonly url: string;
  /** Put before every key; default `portcullis-jobs`. */
  readonly prefix?: string;
  /** How long a run may go without a sign of life before another process takes the job. Default 30000; at least 1000. */
  readonly leaseMs?: number;
  /** After this long `enqueue`, `cancel`, `ping` or the first connect rejects. Default 3000. */
  readonly commandTimeoutMs?: number;
  /** Told when the queue itself cannot be read or written; what it was about is tried again. */
  readonly onError?: (error: Error) => void;
}

/**
 * Jobs in BullMQ on Redis. They survive kill -9 of Redis only with `appendonly yes` and `appendfsync always`; Redis must not
 * evict (`maxmemory-policy noeviction`).
 *
 * @throws when Redis does not answer within the command timeout.
 */
export async function openBullJobs(options: BullJobsOptions): Promise<Jobs> {
  const {
    url,
    prefix = "portcullis-jobs",
    leaseMs = 30_000,
    commandTimeoutMs = 3000,
    onError = () => undefined,
  } = options;
  if (!(leaseMs >= 1000)) throw new RangeError("leaseMs is at least 1000");
  const redis = await connectProducer(url, commandTimeoutMs);
  const queues = new Map<string, Queue<Envelope>>();
  const workers = new Set<Worker>();

  const queueNamed = (name: string): Queue<Envelope> => {
    const known = queues.get(checkQueue(name));
    if (known) return known;
    const queue = new Queue<Envelope>(name, { connection: redis, prefix, skipWaitingForReady: true });
    queue.on("error", (error) => onError(toError(error)));
    queues.set(name, queue);
    return queue;
  };

  return {
    async enqueue(queue, job, options) {
      const { delayMs, attempts, backoffMs } = checkOptions(options);
      const envelope = { d: checkData(job.data), t: currentTrace() };
      const adding = queueNamed(queue).add("job", envelope, {
        jobId: toBullId(checkId(job.id)),
        delay: delayMs,
        attempts,
        backoff: { type: "exponential", delay: backoffMs },
        removeOnComplete: true,
        removeOnFail: { count: failedKeptMax, age: failedKeptMs / 1000 },
        stackTraceLimit: 0,
      });
      await within(commandTimeoutMs, adding);
    },
    async cancel(queue, id) {
      return await within(commandTimeoutMs, removeWaiting(queueNamed(queue), toBullId(checkId(id))));
    },
    async work(queue, handler, options = {}) {
      const worker = await startWorker({
        url,
        prefix,
        leaseMs,
        onError,
        handler,
        readyTimeoutMs: commandTimeoutMs,
        queue: checkQueue(queue),
        concurrency: checkConcurrency(options.concurrency),
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
      await redis.ping();
    },
    async close() {
      await Promise.all([...workers].map((worker) => worker.close()));
      // They share the connection, so closing them only unhooks them from it.
      await Promise.all(
        [...queues.values()].map((queue) => within(commandTimeoutMs, queue.close()).catch(() => undefined)),
      );
      redis.disconnect();
    },
  };
}

async function removeWaiting(queue: Queue<Envelope>, id: string): Promise<boolean> {
  const job = await queue.getJob(id);
  if (!job) return false;
  const state = await job.getState();
  if (state !== "waiting" && state !== "delayed") return false;
  try {
    await job.remove();
    return true;
  } catch (error) {
    // A worker was faster: BullMQ refuses to remove what is locked.
    if ((await job.getState()) === "active") return false;
    throw error;
  }
}
