import type { Platform } from "@portcullis/platform";
import { createSafeFetch } from "@portcullis/runtime";
import type { NotifyConfig } from "./config.ts";
import { startMailWorker } from "./mails/worker.ts";
import { serveOutbox } from "./outbox/serve.ts";
import { noVoice, smsTransportOf, voiceTransportOf } from "./transports/choose.ts";
import { openOutbox } from "./transports/outbox.ts";
import { createSmtpTransport } from "./transports/smtp.ts";
import { serveTwilio } from "./waits/twilio.ts";
import { startWakeWorker } from "./waits/wakes.ts";
import { startWaitWorker } from "./waits/worker.ts";
import { startAlertWorker } from "./webhooks/alerts.ts";
import { startWebhookWorker } from "./webhooks/worker.ts";

export { type NotifyConfig, notifyConfig } from "./config.ts";

/**
 * Resolves when messages are being taken from the queues.
 *
 * @throws {StartupError} the outbox cannot be written, or a way for messages is set in part
 */
export async function run(platform: Platform, config: NotifyConfig): Promise<void> {
  const { smtp, smtpAllowPlain, outboxDir, outboxKey, from } = config;
  const { clock, log, closer, server } = platform;
  const byProvider = smsTransportOf(config, clock);
  const outbox = smtp === null || byProvider === null ? await openOutbox({ folder: outboxDir, log, clock }) : null;
  const mail = smtp === null ? outbox?.mail : createSmtpTransport({ server: smtp, allowPlain: smtpAllowPlain });
  const sms = byProvider ?? outbox?.sms;
  const voice = voiceTransportOf(config, clock) ?? outbox?.voice ?? noVoice;
  if (mail === undefined || sms === undefined) throw new TypeError("a message has no way to go");
  closer.add("mail transport", () => mail.close());
  await serveOutbox(server, { outbox, key: outboxKey });
  await serveTwilio(server, platform.caller, config);
  const mails = await startMailWorker({ platform, transport: mail, from });
  closer.add("mail worker", () => mails.close());
  const waits = await startWaitWorker({ platform, mail, sms, voice, from });
  closer.add("wait worker", () => waits.close());
  // Of its own each: how many requests of a socket are under way at once is counted there, and alerts are not to wait for gates, nor gates for them.
  const outbound = () => createSafeFetch({ allow: config.outboundAllow ?? [] });
  const webhooks = await startWebhookWorker({ platform, fetch: outbound() });
  closer.add("webhook worker", () => webhooks.close());
  const alerts = await startAlertWorker({ platform, fetch: outbound() });
  closer.add("alert worker", () => alerts.close());
  const wakes = await startWakeWorker(platform);
  closer.add("wake worker", () => wakes.close());
  log.info(smtp === null ? "mails are written to the outbox" : "mails are sent by SMTP");
  log.info(`calls go out by: ${voice.name}`);
  log.info(byProvider === null ? "text messages are written to the outbox" : `text messages go out by ${sms.name}`);
}
