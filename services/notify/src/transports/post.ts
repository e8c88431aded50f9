import { NotSentError } from "./not-sent.ts";

export interface Posted {
  readonly status: number;
  /** At most 64 KiB of it, and less where it broke off. */
  readonly body: string;
}

/** A provider that says nothing for so long is tried again later. */
const silenceMsMax = 10_000;
const bodyBytesMax = 65_536;

/**
 * One POST to a provider. Redirects are refused: what is posted is for this address only.
 *
 * @throws {NotSentError} there was no answer
 */
export async function post(
  url: URL,
  {
    headers,
    body,
    signal,
  }: { readonly headers: Record<string, string>; readonly body: string; readonly signal: AbortSignal },
): Promise<Posted> {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers,
      body,
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(silenceMsMax)]),
    });
    return { status: answer.status, body: await read(answer) };
  } catch (error) {
    throw new NotSentError(
      error instanceof Error && error.name === "TimeoutError" ? "ETIMEDOUT" : "ECONNECTION",
      null,
      false,
    );
  }
}

async function read({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body ?? []) {
      bytes += chunk.length;
      if (bytes > bodyBytesMax) break;
      chunks.push(chunk);
    }
  } catch {
    // The status has said what became of the message; to try again what was taken would send it twice.
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Whether the same would be refused again, by the status alone: what the operator can mend, or time, is tried again. */
export function isPermanent(status: number): boolean {
  return status >= 400 && status < 500 && ![401, 403, 404, 408, 425, 429].includes(status);
}
