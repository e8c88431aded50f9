import type { Clock } from "@portcullis/runtime";
import { NotSentError } from "./not-sent.ts";
import type { VoiceTransport } from "./transport.ts";
import { givenUp, postToTwilio, type TwilioAccount } from "./twilio.ts";

/** Rings; unless it is told, Twilio lets it ring for a minute. */
const ringSeconds = 30;
/** Of the whole call, which takes half of that: whoever does not hang up costs no more. */
const callSecondsMax = 60;
const silenceSeconds = 1;

/**
 * Twilio's Calls API, with what is said in the request itself (https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource):
 * no page has to be fetched by which a code could be asked for.
 */
export function createTwilioVoice(options: {
  readonly account: TwilioAccount;
  /** E.164, one of the account's that may call. */
  readonly from: string;
  readonly clock: Clock;
}): VoiceTransport {
  const { account, from, clock } = options;
  return {
    name: "twilio",
    async send(sending, { waitId, to, lines, untilMs }, signal) {
      // Nobody is rung up for a code that is dead.
      if (untilMs <= clock()) throw new NotSentError("ELATE", null, true);
      const fields = {
        To: to,
        From: from,
        Twiml: twimlOf(lines),
        Timeout: `${ringSeconds}`,
        TimeLimit: `${callSecondsMax}`,
      };
      const status = await postToTwilio(account, "Calls.json", { fields, waitId, sending, signal });
      if (status !== null && unanswered.has(status.status)) throw givenUp(status.errorCode);
    },
  };
}

/** https://www.twilio.com/docs/voice/api/call-resource#call-status-values: nobody was reached. */
export const unanswered: ReadonlySet<string> = new Set(["busy", "no-answer", "failed", "canceled"]);

/** https://www.twilio.com/docs/voice/twiml/say */
function twimlOf(lines: readonly string[]): string {
  const said = lines.map((line) => `<Say language="en-US">${escaped(line)}</Say>`);
  return `<Response>${said.join(`<Pause length="${silenceSeconds}"/>`)}</Response>`;
}

/** A label is not ours: it may end no element and begin no other. */
function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&apos;");
}
