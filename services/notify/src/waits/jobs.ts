import { waitQueue } from "@portcullis/contracts";
import { type Job, UnrecoverableJobError } from "@portcullis/jobs";
import type { Logger } from "@portcullis/runtime";
import { explained } from "../failures.ts";
import type { Report } from "./reports.ts";

/** What becomes of a job of a wait, whatever carries its message: how it went is reported, so that the waiting client is told. */
export function waitJobs({
  what,
  send,
  report,
  log,
}: {
  /** For the log: `message`, `webhook`. */
  readonly what: string;
  readonly send: (waitId: string, sending: string) => Promise<"sent" | "nothing">;
  readonly report: Report;
  readonly log: Pick<Logger, "error">;
}): { readonly handle: (job: Job) => Promise<void>; readonly onExhausted: (job: Job) => void } {
  return {
    async handle(job) {
      const data = waitQueue.data.safeParse(job.data);
      if (!data.success) throw new UnrecoverableJobError("the job names no wait");
      const { waitId, sending } = data.data;
      try {
        if ((await send(waitId, sending)) === "sent") await report(waitId, sending, "sent");
      } catch (error) {
        const failure = explained(error);
        // What is final is reported when the queue gives up.
        if (!(failure instanceof UnrecoverableJobError)) await report(waitId, sending, "delayed");
        throw failure;
      }
    },
    onExhausted(job) {
      const data = waitQueue.data.safeParse(job.data);
      log.error(`${what} given up`, { waitId: data.success ? data.data.waitId : null });
      if (data.success) void report(data.data.waitId, data.data.sending, "failed");
    },
  };
}
