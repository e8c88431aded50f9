import { composeMail, mailQueue } from "@portcullis/contracts";
import { type Job, UnrecoverableJobError, type Worker } from "@portcullis/jobs";
import type { Platform } from "@portcullis/platform";
import { meterFor } from "@portcullis/runtime";
import { causeOf, explained } from "../failures.ts";
import { stopsWithin } from "../stopping.ts";
import { NotSentError } from "../transports/not-sent.ts";
import type { MailTransport } from "../transports/transport.ts";
import { isAddress, type Mailbox } from "./mailbox.ts";
import { messageOf } from "./message.ts";

/**
 * What became of a run of a job: `sent`, `nothing` (there was nothing to send any more), `refused` (for good), `failed` (to be
 * tried again); and of a job: `exhausted`.
 */
type Outcome = "sent" | "nothing" | "refused" | "failed" | "exhausted";

export interface MailWorkerOptions {
  readonly platform: Pick<Platform, "caller" | "jobs" | "clock" | "log">;
  readonly transport: MailTransport;
  readonly from: Mailbox;
  /** Default 4. */
  readonly concurrency?: number;
  /** A mail takes no longer than this, however slowly the server drips. Default 60000. */
  readonly mailMsMax?: number;
  /** How long `close` lets mails under way finish; then they are cut off and tried again by whoever works next. Default 2500. */
  readonly stopMsMax?: number;
}

/**
 * Sends the mails of the queue. A job names a mail; what it says and to whom is asked of `identity` when it is sent. Nothing but
 * the mail's id is ever logged or left in the queue.
 */
export async function startMailWorker(options: MailWorkerOptions): Promise<Worker> {
  const { platform, transport, from, concurrency = 4, mailMsMax = 60_000, stopMsMax = 2_500 } = options;
  const { caller, jobs, clock, log } = platform;
  const mails = meterFor("notify").createCounter("portcullis.notify.mails", {
    description: "Mails, by outcome and by transport",
  });
  const count = (outcome: Outcome) => mails.add(1, { outcome, transport: transport.name });
  const stopping = new AbortController();

  const send = async (mailId: string): Promise<Outcome> => {
    const { mail } = await caller.call(composeMail, { mailId });
    if (mail === null) return "nothing";
    if (!isAddress(mail.to)) throw new NotSentError("EADDRESS", null, true);
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(mailMsMax)]);
    await transport.send(mailId, messageOf({ mailId, mail, from, clock }), signal);
    return "sent";
  };

  const handle = async (job: Job): Promise<void> => {
    const data = mailQueue.data.safeParse(job.data);
    if (!data.success) {
      count("refused");
      throw new UnrecoverableJobError("the job names no mail");
    }
    const { mailId } = data.data;
    try {
      const outcome = await send(mailId);
      count(outcome);
      log.info(outcome === "sent" ? "mail sent" : "mail not needed any more", { mailId, transport: transport.name });
    } catch (error) {
      const failure = explained(error);
      count(failure instanceof UnrecoverableJobError ? "refused" : "failed");
      log.warn("mail not sent", { mailId, transport: transport.name, cause: causeOf(error) });
      throw failure;
    }
  };

  const worker = await jobs.work(mailQueue.name, handle, {
    concurrency,
    onExhausted(job) {
      const data = mailQueue.data.safeParse(job.data);
      count("exhausted");
      log.error("mail given up", { mailId: data.success ? data.data.mailId : null, transport: transport.name });
    },
  });

  return stopsWithin(worker, stopping, stopMsMax);
}
