import { setTimeout as sleep } from "node:timers/promises";
import { callMsMax, KmsError, type KmsFailure } from "./port.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface ExchangeOptions {
  /** Made anew for each try: signatures and tokens grow old. */
  readonly request: () => Promise<Request>;
  /** What an answer that is no success means. */
  readonly failureOf: (answer: Answer) => KmsFailure;
  /** Which settings to look at, by what it means. No values. */
  readonly advice: Readonly<Record<KmsFailure, string>>;
  /** For tests: before the second try; the next are longer. Default 100. */
  readonly pauseMs?: number;
}

const triesMax = 4;
const tryMsMax = 4_000;
const answerBytesMax = 64 * 1024;

/**
 * One question to a key service over HTTP, repeated with growing pauses while it is unavailable. Redirects are not followed: what is asked holds a key, and its headers
 * a token, which are for whom the settings name.
 *
 * @throws {KmsError} with nothing of what was said on either side
 */
export async function exchange({ request, failureOf, advice, pauseMs = 100 }: ExchangeOptions): Promise<Answer> {
  const deadline = performance.now() + callMsMax;
  for (let tries = 1; ; tries += 1) {
    const failure = await attempt();
    if (typeof failure === "object") return failure;
    // Full jitter: replicas that were refused together do not come back together.
    const delayMs = Math.random() * pauseMs * 2 ** tries;
    const isLate = performance.now() + delayMs + tryMsMax > deadline;
    if (failure !== "unavailable" || tries >= triesMax || isLate) throw new KmsError(failure, advice[failure]);
    await sleep(delayMs);
  }

  async function attempt(): Promise<Answer | KmsFailure> {
    const made = await request();
    try {
      const response = await fetch(made, { redirect: "manual", signal: AbortSignal.timeout(tryMsMax) });
      const answer = { status: response.status, headers: response.headers, text: await textOf(response) };
      return response.ok ? answer : failureOf(answer);
    } catch {
      // Of the connection, or too slow. Its text may quote the request.
      return "unavailable";
    }
  }
}

async function textOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.length;
    if (bytes > answerBytesMax) throw new RangeError("an answer that is too long");
    parts.push(part);
  }
  return Buffer.concat(parts).toString("utf8");
}

/** Undefined where it is no JSON. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
