import { composeWebhook, waitQueue } from "@portcullis/contracts";
import type { Worker } from "@portcullis/jobs";
import type { Platform } from "@portcullis/platform";
import { meterFor, type SafeFetch } from "@portcullis/runtime";
import { causeOf } from "../failures.ts";
import { stopsWithin } from "../stopping.ts";
import { waitJobs } from "../waits/jobs.ts";
import { createReports } from "../waits/reports.ts";
import { postWebhook } from "./post.ts";

export interface WebhookWorkerOptions {
  readonly platform: Pick<Platform, "caller" | "jobs" | "log">;
  readonly fetch: SafeFetch;
  /** Default 16: one whose program is slow keeps few places, and never all of them. */
  readonly concurrency?: number;
  /** Default 5000. */
  readonly timeoutMs?: number;
  /** How long `close` lets requests under way finish. Default 2500. */
  readonly stopMsMax?: number;
  /** Default 150. */
  readonly reportPauseMs?: number;
}

/**
 * Tells owners' programs that somebody waits for them. A job names a wait; address, text and signature are asked of `factors` when it is
 * sent, and for each try anew. How it went is reported like a message to a person.
 */
export async function startWebhookWorker(options: WebhookWorkerOptions): Promise<Worker> {
  const { platform, fetch, concurrency = 16, timeoutMs = 5_000, stopMsMax = 2_500, reportPauseMs = 150 } = options;
  const { caller, jobs, log } = platform;
  const stopping = new AbortController();
  const report = createReports({ platform, stopping: stopping.signal, pauseMs: reportPauseMs });
  const webhooks = meterFor("notify").createCounter("portcullis.notify.webhooks", {
    description: "Webhooks of waits, by outcome",
  });

  async function send(waitId: string, sending: string): Promise<"sent" | "nothing"> {
    const { message } = await caller.call(composeWebhook, { waitId, sending });
    if (message === null) return "nothing";
    try {
      await postWebhook(fetch, message, { timeoutMs, signal: stopping.signal });
    } catch (error) {
      webhooks.add(1, { outcome: "failed" });
      log.warn("webhook not sent", { waitId, cause: causeOf(error) });
      throw error;
    }
    webhooks.add(1, { outcome: "sent" });
    return "sent";
  }

  const { handle, onExhausted } = waitJobs({ what: "webhook", send, report, log });
  const worker = await jobs.work(waitQueue.names.webhook, handle, { concurrency, onExhausted });
  return stopsWithin(worker, stopping, stopMsMax);
}
