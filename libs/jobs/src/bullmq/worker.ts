import { type Job as BullJob, Worker as BullWorker, UnrecoverableError } from "bullmq";
import { type Envelope, readEnvelope } from "../envelope.ts";
import { isFinal, JobLostError, publicName, toError } from "../failure.ts";
import { attemptsMax } from "../limits.ts";
import type { Job, Worker } from "../port.ts";
import { inTrace } from "../trace.ts";
import { fromBullId } from "./bull-id.ts";
import { ConsumerRedis, within } from "./connect.ts";

export interface StartWorkerOptions {
  readonly url: string;
  readonly prefix: string;
  readonly queue: string;
  readonly handler: (job: Job) => Promise<void>;
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly readyTimeoutMs: number;
  readonly onExhausted: (job: Job, error: Error) => void;
  readonly onError: (error: Error) => void;
}

export async function startWorker(options: StartWorkerOptions): Promise<Worker> {
  const { queue, handler, leaseMs, onExhausted, onError } = options;
  const redis = new ConsumerRedis(options.url);
  const running = new Set<Promise<void>>();
  const finalErrors = new WeakMap<BullJob, Error>();

  const process = async (stored: BullJob<Envelope>): Promise<void> => {
    // BullMQ counts a run when it fails; a run whose process died would then cost nothing and a job could kill for ever.
    const run = stored.attemptsStarted;
    const attempts = stored.opts.attempts ?? 1;
    try {
      if (run > attempts) throw new JobLostError();
      const { d, t } = readEnvelope(stored.data);
      await inTrace(t, queue, run, () => handler({ id: fromBullId(stored.id), data: d }));
    } catch (thrown) {
      const error = toError(thrown);
      if (!isFinal(error, run, attempts)) throw new Error(publicName(error));
      finalErrors.set(stored, error);
      throw new UnrecoverableError(publicName(error));
    }
  };

  const worker = new BullWorker<Envelope>(
    queue,
    (stored) => {
      const run = process(stored);
      running.add(run);
      run.catch(() => undefined).finally(() => running.delete(run));
      return run;
    },
    {
      connection: redis,
      prefix: options.prefix,
      concurrency: options.concurrency,
      lockDuration: leaseMs,
      stalledInterval: leaseMs / 2,
      // Runs are counted above; BullMQ's own limit must not end a job earlier.
      maxStalledCount: attemptsMax + 1,
      runRetryDelay: 1000,
    },
  );
  worker.on("error", (error) => onError(toError(error)));
  worker.on("failed", (stored, error) => {
    if (!stored) return;
    const final = finalErrors.get(stored) ?? (stored.finishedOn === undefined ? null : error);
    if (!final) return;
    try {
      onExhausted({ id: fromBullId(stored.id), data: readEnvelope(stored.data).d }, final);
    } catch (thrown) {
      onError(toError(thrown));
    }
  });

  const close = async () => {
    await worker.pause(true);
    await Promise.allSettled(running);
    // BullMQ's close waits until Redis has heard that the jobs are done. When Redis is gone it would wait for ever; then the
    // jobs are as done as they can be, and another process runs them again after the lease.
    const answers = await within(options.readyTimeoutMs, redis.ping()).then(
      () => true,
      () => false,
    );
    await within(options.readyTimeoutMs, worker.close(!answers)).catch((error: unknown) => onError(toError(error)));
    redis.abandon();
  };
  try {
    await within(options.readyTimeoutMs, worker.waitUntilReady());
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
