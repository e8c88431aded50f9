import type { Clock } from "@portcullis/runtime";
import { z } from "zod";
import { NotSentError } from "./not-sent.ts";
import { isPermanent, post } from "./post.ts";
import { isLoopback } from "./smtp-url.ts";
import type { SmsTransport } from "./transport.ts";
import { callbackUrl } from "./twilio-callback.ts";

export interface TwilioOptions {
  readonly url: URL;
  readonly accountSid: string;
  readonly authToken: string;
  /** A number in E.164, or the SID of a messaging service (`MG…`). */
  readonly from: string;
  /** Where it reaches us to say what became of a message; null: it is not asked to. */
  readonly publicUrl: string | null;
  readonly clock: Clock;
}

/** https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource */
const created = z.object({ sid: z.string(), status: z.string(), error_code: z.number().nullish() });
/** https://www.twilio.com/docs/usage/twilios-response#exceptions */
const exception = z.object({ code: z.number(), status: z.number() });

/** "Too Many Requests", which comes with other statuses than 429 too. */
const tooManyRequests = 20_429;

/** Twilio's Messages API. (Its own package is far larger than this one request: docs/adr/0003-runtime-dependencies.md.) */
export function createTwilio({ url, accountSid, authToken, from, publicUrl, clock }: TwilioOptions): SmsTransport {
  const messages = new URL(`/2010-04-01/Accounts/${accountSid}/Messages.json`, url);
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;
  const sender = from.startsWith("MG") ? { MessagingServiceSid: from } : { From: from };
  return {
    name: "twilio",
    async send(sending, { waitId, to, text, untilMs }, signal) {
      const callback =
        publicUrl !== null && isReachable(publicUrl) ? { StatusCallback: callbackUrl(publicUrl, waitId, sending) } : {};
      const { status, body } = await post(messages, {
        headers: { authorization, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
        body: new URLSearchParams({
          To: to,
          Body: text,
          ValidityPeriod: `${validSeconds(untilMs - clock())}`,
          ...sender,
          ...callback,
        }).toString(),
        signal,
      });
      const answer = jsonOf(body);
      if (status >= 200 && status < 300) {
        const { data } = created.safeParse(answer);
        if (data?.status === "failed" || data?.status === "undelivered")
          throw new NotSentError("ETWILIO", data.error_code ?? null, true);
        return;
      }
      const { data } = exception.safeParse(answer);
      const permanent = isPermanent(status) && data?.code !== tooManyRequests;
      throw new NotSentError("ETWILIO", data?.code ?? status, permanent);
    },
  };
}

/** Unless it is told, Twilio keeps a message for ten hours: it would come, and cost, when its code is long dead. 1 to 36000. */
function validSeconds(ms: number): number {
  return Math.min(Math.max(Math.floor(ms / 1_000), 1), 36_000);
}

/** It reaches nobody on this machine and refuses a message that says otherwise (21609); and it says no secret to who has no TLS. */
function isReachable(publicUrl: string): boolean {
  const { protocol, hostname } = new URL(publicUrl);
  const host = hostname.replace(/^\[(.*)\]$/, "$1");
  return protocol === "https:" && !isLoopback(host) && !host.endsWith(".localhost");
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
