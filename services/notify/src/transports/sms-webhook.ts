import { createHmac } from "node:crypto";
import type { Clock } from "@portcullis/runtime";
import { NotSentError } from "./not-sent.ts";
import { isPermanent, post } from "./post.ts";
import type { SmsTransport } from "./transport.ts";

export interface SmsWebhookOptions {
  readonly url: URL;
  /** 24 to 64 bytes. */
  readonly secret: Uint8Array;
  readonly clock: Clock;
}

/**
 * Any provider at all, behind a program of the operator's: Standard Webhooks (https://www.standardwebhooks.com). The id of a message
 * stays when it is tried again, so that the receiver can drop what it has; the signature covers id, time and body.
 */
export function createSmsWebhook({ url, secret, clock }: SmsWebhookOptions): SmsTransport {
  return {
    name: "webhook",
    async send(sendingId, { to, text, untilMs }, signal) {
      const timestamp = Math.floor(clock() / 1_000);
      const body = JSON.stringify({
        type: "sms.send",
        timestamp: new Date(clock()).toISOString(),
        data: { to, text, expiresAt: new Date(untilMs).toISOString() },
      });
      const signature = createHmac("sha256", secret).update(`${sendingId}.${timestamp}.${body}`).digest("base64");
      const { status } = await post(url, {
        headers: {
          "content-type": "application/json",
          "webhook-id": sendingId,
          "webhook-timestamp": `${timestamp}`,
          "webhook-signature": `v1,${signature}`,
        },
        body,
        signal,
      });
      if (status < 200 || status >= 300) throw new NotSentError("EWEBHOOK", status, isPermanent(status));
    },
  };
}
