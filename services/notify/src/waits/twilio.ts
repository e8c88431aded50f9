import type { Caller, Server } from "@portcullis/bus";
import { reportTwilio, reportWait } from "@portcullis/contracts";
import type { NotifyConfig } from "../config.ts";
import { callbackUrl, isSignedByTwilio } from "../transports/twilio-callback.ts";
import { unanswered } from "../transports/twilio-voice.ts";

/** https://www.twilio.com/docs/messaging/api/message-resource#message-status-values */
const undeliverable: ReadonlySet<string> = new Set(["failed", "undelivered"]);

/** Takes what Twilio says of a message, if it is Twilio who says so: the address is known to whoever has seen one. */
export async function serveTwilio(
  server: Server,
  caller: Caller,
  { twilioAuthToken, publicUrl }: Pick<NotifyConfig, "twilioAuthToken" | "publicUrl">,
): Promise<void> {
  await server.serve(reportTwilio, async ({ waitId, sending, fields, signature }) => {
    if (twilioAuthToken === null || publicUrl === null) return { genuine: false };
    const url = callbackUrl(publicUrl, waitId, sending);
    if (!isSignedByTwilio({ authToken: twilioAuthToken, url, fields, signature })) return { genuine: false };
    if (undeliverable.has(fields.MessageStatus ?? "") || unanswered.has(fields.CallStatus ?? ""))
      await caller.call(reportWait, { waitId, sending, status: "failed" });
    return { genuine: true };
  });
}
