import type { Clock } from "@portcullis/runtime";
import { StartupError } from "@portcullis/runtime";
import type { NotifyConfig } from "../config.ts";
import { NotSentError } from "./not-sent.ts";
import { createSmsWebhook } from "./sms-webhook.ts";
import type { SmsTransport, VoiceTransport } from "./transport.ts";
import { createTwilio } from "./twilio.ts";
import { createTwilioVoice } from "./twilio-voice.ts";

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

/**
 * The way that calls take.
 *
 * @returns null where none is set
 * @throws {StartupError} it is set in part
 */
export function voiceTransportOf(config: NotifyConfig, clock: Clock): VoiceTransport | null {
  const { twilioAccountSid: accountSid, twilioAuthToken: authToken, twilioVoiceFrom: from, twilioUrl: url } = config;
  if (from === null) return null;
  if (accountSid === null || authToken === null)
    throw new StartupError("TWILIO_VOICE_FROM needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM");
  return createTwilioVoice({ account: { url, accountSid, authToken, publicUrl: config.publicUrl }, from, clock });
}

/** Where mails and text messages go out and nobody can be called: the waiting client is told, instead of waiting for a call. */
export const noVoice: VoiceTransport = {
  name: "none",
  send: () => Promise.reject(new NotSentError("ENOVOICE", null, true)),
};

/** @returns whether they are set. @throws {StartupError} some are */
function requireWhole(settings: Readonly<Record<string, unknown>>): boolean {
  const names = Object.keys(settings);
  const missing = names.filter((name) => settings[name] === null);
  if (missing.length > 0 && missing.length < names.length)
    throw new StartupError(`${names.join(", ")} belong together; missing: ${missing.join(", ")}`);
  return missing.length === 0;
}
