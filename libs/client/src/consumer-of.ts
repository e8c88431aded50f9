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
  const { ticket, url, pin } = await mint(
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

async function mint(
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
    const asked = fetch(url, {
      method: "POST",
      redirect: "error",
      signal: over.signal,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ role: "consumer" }),
    });
    const response = await scope.race(asked.catch(unreachable));
    if (response.status >= 500 || response.status === 429) throw new PortcullisError("unavailable");
    if (!response.ok) throw new PortcullisError("denied");
    const answer: unknown = await scope.race(response.json().catch(unreadable));
    if (!isMinted(answer)) throw new PortcullisError("protocol");
    return answer;
  } finally {
    scope.end();
    // What is not read is let go of.
    over.abort();
  }
}

function unreachable(): never {
  throw new PortcullisError("unreachable");
}

/** Nothing, where it is not JSON. */
function unreadable(error: unknown): null {
  return error instanceof SyntaxError ? null : unreachable();
}

function isMinted(answer: unknown): answer is Minted {
  if (typeof answer !== "object" || answer === null) return false;
  return (["ticket", "url", "pin"] as const).every(
    (name) => typeof (answer as Record<string, unknown>)[name] === "string",
  );
}
