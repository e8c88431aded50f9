import { setTimeout } from "node:timers/promises";
import { reportWait } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { causeOf } from "../failures.ts";

export type SendingStatus = "sent" | "delayed" | "failed";

/** With the pauses between them, longer than `factors` takes to be started again. */
const reportTries = 8;

export type Report = (waitId: string, sending: string, status: SendingStatus) => Promise<void>;

/**
 * Says how a message fared, so that the waiting client is told. Never throws: that it could not be said is no reason to send it again.
 *
 * @param options.pauseMs before a report that was not heard is made again; doubles each time
 */
export function createReports(options: {
  readonly platform: Pick<Platform, "caller" | "log">;
  readonly stopping: AbortSignal;
  readonly pauseMs: number;
}): Report {
  const { platform, stopping, pauseMs } = options;
  return async (waitId, sending, status) => {
    for (let tries = 1; ; tries += 1) {
      try {
        await platform.caller.call(reportWait, { waitId, sending, status });
        return;
      } catch (error) {
        if (tries === reportTries || stopping.aborted) {
          platform.log.warn("how a message fared could not be reported", { waitId, status, cause: causeOf(error) });
          return;
        }
        // Ends early where the process is to end.
        await setTimeout(pauseMs * 2 ** (tries - 1), null, { signal: stopping }).catch(() => undefined);
      }
    }
  };
}
