import { alertQueue, composeAlert } from "@portcullis/contracts";
import { type Job, UnrecoverableJobError, type Worker } from "@portcullis/jobs";
import type { Platform } from "@portcullis/platform";
import { meterFor, type SafeFetch } from "@portcullis/runtime";
import { causeOf, explained } from "../failures.ts";
import { stopsWithin } from "../stopping.ts";
import { postWebhook } from "./post.ts";

export interface AlertWorkerOptions {
  readonly platform: Pick<Platform, "caller" | "jobs" | "log">;
  readonly fetch: SafeFetch;
  /** Default 8. */
  readonly concurrency?: number;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** How long `close` lets requests under way finish. Default 2500. */
  readonly stopMsMax?: number;
}

/**
 * Tells owners' programs of alerts. A job names an alert; what it says, to whom, and the signature are asked of `identity` and `factors` when it is sent, and for
 * each try anew. At least once: where this process dies behind a request, the same goes out again under the same id.
 */
export async function startAlertWorker(options: AlertWorkerOptions): Promise<Worker> {
  const { platform, fetch, concurrency = 8, timeoutMs = 5_000, stopMsMax = 2_500 } = options;
  const { caller, jobs, log } = platform;
  const stopping = new AbortController();
  const alerts = meterFor("notify").createCounter("portcullis.notify.alerts", {
    description: "Webhooks of alerts, by outcome",
  });

  async function handle(job: Job): Promise<void> {
    const data = alertQueue.data.safeParse(job.data);
    if (!data.success) throw new UnrecoverableJobError("the job names no alert");
    const { alertId } = data.data;
    try {
      const { message } = await caller.call(composeAlert, { alertId });
      if (message !== null) await postWebhook(fetch, message, { timeoutMs, signal: stopping.signal });
      alerts.add(1, { outcome: message === null ? "nothing" : "sent" });
    } catch (error) {
      alerts.add(1, { outcome: "failed" });
      log.warn("alert not sent", { alertId, cause: causeOf(error) });
      throw explained(error);
    }
  }

  const worker = await jobs.work(alertQueue.name, handle, {
    concurrency,
    onExhausted(job) {
      const data = alertQueue.data.safeParse(job.data);
      alerts.add(1, { outcome: "exhausted" });
      log.error("alert given up", { alertId: data.success ? data.data.alertId : null });
    },
  });
  return stopsWithin(worker, stopping, stopMsMax);
}
