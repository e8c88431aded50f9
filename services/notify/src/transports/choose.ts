import type { Clock } from "@portcullis/runtime";
import { StartupError } from "@portcullis/runtime";
import type { NotifyConfig } from "../config.ts";
import { createSmsWebhook } from "./sms-webhook.ts";
import type { SmsTransport } from "./transport.ts";
import { createTwilio } from "./twilio.ts";

/**
 * The way that text messages take.
 *
 * @returns null where none is set: then they go to the outbox
 * @throws {StartupError} a way is set in part, or two are
 */
export function smsTransportOf(config: NotifyConfig, clock: Clock): SmsTransport | null {
  const { twilioAccountSid, twilioAuthToken, twilioFrom, twilioUrl, publicUrl, smsWebhookUrl, smsWebhookSecret } =
    config;
  const twilio = { TWILIO_ACCOUNT_SID: twilioAccountSid, TWILIO_AUTH_TOKEN: twilioAuthToken, TWILIO_FROM: twilioFrom };
  const webhook = { SMS_WEBHOOK_URL: smsWebhookUrl, SMS_WEBHOOK_SECRET: smsWebhookSecret };
  const [byTwilio, byWebhook] = [requireWhole(twilio), requireWhole(webhook)];
  if (byTwilio && byWebhook)
    throw new StartupError(
      "TWILIO_ACCOUNT_SID and SMS_WEBHOOK_URL are both set: text messages take one way; unset the other",
    );
  if (twilioAccountSid !== null && twilioAuthToken !== null && twilioFrom !== null)
    return createTwilio({
      url: twilioUrl,
      accountSid: twilioAccountSid,
      authToken: twilioAuthToken,
      from: twilioFrom,
      publicUrl,
      clock,
    });
  if (smsWebhookUrl !== null && smsWebhookSecret !== null)
    return createSmsWebhook({ url: smsWebhookUrl, secret: smsWebhookSecret, clock });
  return null;
}

/** @returns whether they are set. @throws {StartupError} some are */
function requireWhole(settings: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(settings);
  const missing = names.filter((name) => settings[name] === null);
  if (missing.length > 0 && missing.length < names.length)
    throw new StartupError(`${names.join(", ")} belong together; missing: ${missing.join(", ")}`);
  return missing.length === 0;
}
