import { type ConsumerOptions, type ConsumerSession, connectConsumer } from "./consumer.ts";
import { PortcullisError } from "./errors.ts";
import { createScope } from "./scope.ts";

export interface ConsumerOf extends Omit<ConsumerOptions, "appKey" | "pin" | "ticket" | "unpinned"> {
  /** Where the API is, for example `https://api.example.com`. It is believed, and says by what the socket's server is known. */
  readonly api: string | URL;
  /** The owner's API token. */
  readonly token: string;
  /** Id of the socket. */
  readonly socket: string;
  /** The socket's path, which the API does not know. */
  readonly path: string;
  /** Default: the platform's. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** Where and by what to connect. */
interface Minted {
  readonly ticket: string;
  readonly url: string;
  readonly pin: string;
}

const answerCharsMax = 16_384;
const answerMsMax = 15_000;

/**
 * Comes in as the owner's program by an API token: has a ticket made, and connects by it.
 *
 * @throws {PortcullisError} `denied` where the token does not do; else as `connectConsumer`
 */
export async function consumerOf({
  api,
  token,
  socket,
  path,
  fetch = globalThis.fetch,
  ...options
}: ConsumerOf): Promise<ConsumerSession> {
  const { ticket, url, pin } = await minted(
    fetch,
    new URL(`/v1/sockets/${encodeURIComponent(socket)}/tickets`, api),
    token,
    options.signal,
  );
  return connectConsumer(
    url.replace("{path}", () => path),
    { ...options, ticket, pin },
  );
}

async function minted(
  fetch: typeof globalThis.fetch,
  url: URL,
  token: string,
  signal: AbortSignal | undefined,
): Promise<Minted> {
  if (signal?.aborted === true) throw new PortcullisError("cancelled");
  const scope = createScope(signal);
  const over = new AbortController();
  try {
    scope.failAfter(answerMsMax, new PortcullisError("unreachable"));
    return await scope.race(mint(fetch, url, token, over.signal));
  } finally {
    scope.end();
    // What is not read is let go of.
    over.abort();
  }
}

async function mint(fetch: typeof globalThis.fetch, url: URL, token: string, signal: AbortSignal): Promise<Minted> {
  const unreachable = () => {
    throw new PortcullisError("unreachable");
  };
  const response = await fetch(url, {
    method: "POST",
    redirect: "error",
    signal,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ role: "consumer" }),
  }).catch(unreachable);
  if (response.status >= 500 || response.status === 429) throw new PortcullisError("unavailable");
  if (!response.ok) throw new PortcullisError("denied");
  const text = await response.text().catch(unreachable);
  const answer = text.length > answerCharsMax ? null : jsonOf(text);
  if (!isMinted(answer)) throw new PortcullisError("protocol");
  return answer;
}

function isMinted(answer: unknown): answer is Minted {
  if (typeof answer !== "object" || answer === null) return false;
  return (["ticket", "url", "pin"] as const).every(
    (name) => typeof (answer as Record<string, unknown>)[name] === "string",
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
