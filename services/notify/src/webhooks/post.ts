import type { OutgoingWebhook } from "@portcullis/contracts";
import { OutboundError, type SafeFetch } from "@portcullis/runtime";
import { NotSentError } from "../transports/not-sent.ts";
import { isPermanent } from "../transports/post.ts";

/** Nothing of an answer is used but its status. */
const answerBytesMax = 16_384;

/** @throws {NotSentError} it did not arrive, or was not taken */
export async function postWebhook(
  fetch: SafeFetch,
  { socketId: group, url, headers, body }: OutgoingWebhook,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<void> {
  try {
    const { status } = await fetch({ url, group, headers, body, timeoutMs, maxBytes: answerBytesMax, signal });
    if (status < 200 || status >= 300) throw new NotSentError("EWEBHOOK", status, isPermanent(status));
  } catch (error) {
    throw notSent(error);
  }
}

/** What cannot become better by trying again is what our own rules refuse. */
function notSent(error: unknown): unknown {
  if (!(error instanceof OutboundError)) return error;
  const { failure } = error;
  return new NotSentError(`E${failure.toUpperCase().replace("-", "")}`, null, failure === "forbidden");
}
