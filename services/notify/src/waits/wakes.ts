import { wakeQueue, wakeWait } from "@portcullis/contracts";
import { type Job, UnrecoverableJobError, type Worker } from "@portcullis/jobs";
import type { Platform } from "@portcullis/platform";

/** Has handshakes woken that could not be woken when their wait changed. */
export function startWakeWorker({ caller, jobs }: Pick<Platform, "caller" | "jobs">): Promise<Worker> {
  return jobs.work(wakeQueue.name, async (job: Job) => {
    const data = wakeQueue.data.safeParse(job.data);
    if (!data.success) throw new UnrecoverableJobError("the job names no wait");
    await caller.call(wakeWait, data.data);
  });
}
