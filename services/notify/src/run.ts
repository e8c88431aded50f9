import type { Platform } from "@portcullis/platform";
import type { NotifyConfig } from "./config.ts";
import { startMailWorker } from "./mails/worker.ts";
import { openOutbox } from "./transports/outbox.ts";
import { createSmtpTransport } from "./transports/smtp.ts";

export { type NotifyConfig, notifyConfig } from "./config.ts";

/**
 * Resolves when mails are being taken from the queue.
 *
 * @throws {StartupError} the outbox cannot be written
 */
export async function run(platform: Platform, config: NotifyConfig): Promise<void> {
  const { smtp, smtpAllowPlain, outboxDir, from } = config;
  const { log, closer } = platform;
  const transport =
    smtp === null
      ? await openOutbox({ folder: outboxDir, log })
      : createSmtpTransport({ server: smtp, allowPlain: smtpAllowPlain });
  closer.add("mail transport", () => transport.close());
  const worker = await startMailWorker({ platform, transport, from });
  closer.add("mail worker", () => worker.close());
  log.info(smtp === null ? "mails are written to the outbox" : "mails are sent by SMTP");
}
