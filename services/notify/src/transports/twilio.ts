import type { Clock } from "@portcullis/runtime";
import { z } from "zod";
import { NotSentError } from "./not-sent.ts";
import { isPermanent, post } from "./post.ts";
import { isLoopback } from "./smtp-url.ts";
import type { SmsTransport } from "./transport.ts";
import { callbackUrl } from "./twilio-callback.ts";

export interface TwilioAccount {
  readonly url: URL;
  readonly accountSid: string;
  readonly authToken: string;
  /** Where it reaches us to say what became of a message or call; null: it is not asked to. */
  readonly publicUrl: string | null;
}

export interface TwilioOptions extends TwilioAccount {
  /** A number in E.164, or the SID of a messaging service (`MG…`). */
  readonly from: string;
  readonly clock: Clock;
}

/** https://www.twilio.com/docs/messaging/api/message-resource#create-a-message-resource; of calls alike, without `error_code` */
const created = z.object({ sid: z.string(), status: z.string(), error_code: z.number().nullish() });
/** https://www.twilio.com/docs/usage/twilios-response#exceptions */
const exception = z.object({ code: z.number(), status: z.number() });

/** "Too Many Requests", which comes with other statuses than 429 too. */
const tooManyRequests = 20_429;

/** Twilio's Messages API. (Its own package is far larger than this one request: docs/adr/0003-runtime-dependencies.md.) */
export function createTwilio({ from, clock, ...account }: TwilioOptions): SmsTransport {
  const sender: Record<string, string> = from.startsWith("MG") ? { MessagingServiceSid: from } : { From: from };
  return {
    name: "twilio",
    async send(sending, { waitId, to, text, untilMs }, signal) {
      const fields = { To: to, Body: text, ValidityPeriod: `${validSeconds(untilMs - clock())}`, ...sender };
      const taken = await postToTwilio(account, "Messages.json", { fields, waitId, sending, signal });
      if (taken?.status === "failed" || taken?.status === "undelivered") throw givenUp(taken.errorCode);
    },
  };
}

/**
 * Makes a message or a call.
 *
 * @returns what it has become so far; null where that was not said
 * @throws {NotSentError}
 */
export async function postToTwilio(
  { url, accountSid, authToken, publicUrl }: TwilioAccount,
  resource: "Messages.json" | "Calls.json",
  what: {
    readonly fields: Readonly<Record<string, string>>;
    readonly waitId: string;
    readonly sending: string;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly status: string; readonly errorCode: number | null } | null> {
  const { fields, waitId, sending, signal } = what;
  const callback =
    publicUrl !== null && isReachable(publicUrl) ? { StatusCallback: callbackUrl(publicUrl, waitId, sending) } : {};
  const authorization = `Basic ${Buffer.from(`${accountSid}:${authToken}`).toString("base64")}`;
  const { status, body } = await post(new URL(`/2010-04-01/Accounts/${accountSid}/${resource}`, url), {
    headers: { authorization, "content-type": "application/x-www-form-urlencoded", accept: "application/json" },
    body: new URLSearchParams({ ...fields, ...callback }).toString(),
    signal,
  });
  const answer = jsonOf(body);
  if (status >= 200 && status < 300) {
    const { data } = created.safeParse(answer);
    return data === undefined ? null : { status: data.status, errorCode: data.error_code ?? null };
  }
  const { data } = exception.safeParse(answer);
  const permanent = isPermanent(status) && data?.code !== tooManyRequests;
  throw new NotSentError("ETWILIO", data?.code ?? status, permanent);
}

export function givenUp(errorCode: number | null): NotSentError {
  return new NotSentError("ETWILIO", errorCode, true);
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
