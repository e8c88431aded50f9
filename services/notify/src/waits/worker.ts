import { composeWait, waitQueue } from "@portcullis/contracts";
import type { Worker } from "@portcullis/jobs";
import type { Platform } from "@portcullis/platform";
import { meterFor } from "@portcullis/runtime";
import { causeOf } from "../failures.ts";
import { isAddress, type Mailbox } from "../mails/mailbox.ts";
import { messageOf } from "../mails/message.ts";
import { stopsWithin } from "../stopping.ts";
import { NotSentError } from "../transports/not-sent.ts";
import type { MailTransport, SmsTransport, VoiceTransport } from "../transports/transport.ts";
import { waitJobs } from "./jobs.ts";
import { createReports } from "./reports.ts";

export interface WaitWorkerOptions {
  readonly platform: Pick<Platform, "caller" | "jobs" | "clock" | "log">;
  readonly mail: MailTransport;
  readonly sms: SmsTransport;
  readonly voice: VoiceTransport;
  readonly from: Mailbox;
  /** Of each channel; default 8. */
  readonly concurrency?: number;
  /** A message takes no longer than this. Default 20000: somebody waits for it. */
  readonly messageMsMax?: number;
  /** How long `close` lets messages under way finish; then they are cut off and tried again by whoever works next. Default 2500. */
  readonly stopMsMax?: number;
  /** Before a report that was not heard is made again; doubles each time. Default 150, which comes to 19 s in all. */
  readonly reportPauseMs?: number;
}

/**
 * Sends the messages of waits. A job names a wait; what it says and to whom is asked of `factors` when it is sent. How it went is
 * reported, so that the waiting client is told. A message is sent once, unless this process dies between handing it over and
 * saying so: then its job is taken again, and the same code goes out a second time.
 */
export async function startWaitWorker(options: WaitWorkerOptions): Promise<Worker> {
  const { platform, mail, sms, voice, from, concurrency = 8, messageMsMax = 20_000, stopMsMax = 2_500 } = options;
  const { reportPauseMs = 150 } = options;
  const stopping = new AbortController();
  const { caller, jobs, clock, log } = platform;
  const messages = meterFor("notify").createCounter("portcullis.notify.messages", {
    description: "Messages of waits, by outcome, channel and transport",
  });

  const report = createReports({ platform, stopping: stopping.signal, pauseMs: reportPauseMs });

  async function send(waitId: string, sending: string): Promise<"sent" | "nothing"> {
    const { message } = await caller.call(composeWait, { waitId });
    if (message === null) return "nothing";
    const { channel, to, subject, text, untilMs } = message;
    const transport = { email: mail, sms, call: voice }[channel];
    const signal = AbortSignal.any([stopping.signal, AbortSignal.timeout(messageMsMax)]);
    try {
      if (channel === "sms") await sms.send(sending, { waitId, to, text, untilMs }, signal);
      else if (channel === "call") await voice.send(sending, { waitId, to, lines: text.split("\n"), untilMs }, signal);
      else if (!isAddress(to)) throw new NotSentError("EADDRESS", null, true);
      else await mail.send(sending, messageOf({ mailId: sending, mail: { to, subject, text }, from, clock }), signal);
    } catch (error) {
      messages.add(1, { outcome: "failed", channel, transport: transport.name });
      log.warn("message not sent", { waitId, channel, transport: transport.name, cause: causeOf(error) });
      throw error;
    }
    messages.add(1, { outcome: "sent", channel, transport: transport.name });
    log.info("message sent", { waitId, channel, transport: transport.name });
    return "sent";
  }

  const { handle, onExhausted } = waitJobs({ what: "message", send, report, log });
  const { email, sms: texts, call } = waitQueue.names;
  const workers = [
    await jobs.work(email, handle, { concurrency, onExhausted }),
    await jobs.work(texts, handle, { concurrency, onExhausted }),
    await jobs.work(call, handle, { concurrency, onExhausted }),
  ];
  const both: Worker = { close: async () => void (await Promise.all(workers.map((each) => each.close()))) };
  return stopsWithin(both, stopping, stopMsMax);
}
