import { closeCodes } from "@portcullis/protocol";
import type { Closing } from "./closing.ts";
import { mayComeBack, pauseOf } from "./comeback.ts";
import { connectOwn } from "./connect.ts";
import { PortcullisError } from "./errors.ts";
import { restartSpreadMs } from "./going-on.ts";
import type { ConnectOptions } from "./options.ts";
import { pause } from "./pause.ts";
import type { Session } from "./session.ts";

/** A session that lasted so long was a good one: what comes after it is not another try of the same. */
const goodMs = 60_000;
const pauseMsMax = 60_000;

/**
 * One session after the other: where one ends that could not be resumed, the gates are passed again, by the same callbacks. For programs, which have
 * their answers at hand; a person would be asked for a code whenever the network is bad.
 *
 * A function for `appKey` or `ticket` that throws is asked again as well: what it is to fetch may be where there is no network now. It throws a `PortcullisError`
 * that is not retryable where there will be none.
 *
 * It never hurries: it waits anything up to 200 ms, doubling up to a minute, not less than the server wants, and less only where the network is back. It
 * ends where the program closes a session, logs out (also of one that has ended already), or leaves the loop, and throws what waiting does not change.
 *
 * @throws {PortcullisError} as `connect`, but for what passes by itself: a denial, or a person who gave up, is final; `closed` where the server said under seal
 * that it is over
 */
export async function* keepConnected(
  url: string | URL,
  options: ConnectOptions = {},
): AsyncGenerator<Session, void, undefined> {
  const over = new AbortController();
  const { signal } = over;
  const { signal: given, clock = Date.now } = options;
  const abort = () => over.abort();
  given?.addEventListener("abort", abort, { signal });
  if (given?.aborted === true) abort();
  let isLeft = false;
  const leave = () => {
    isLeft = true;
    abort();
  };
  try {
    for (let triesInVain = 0; ; triesInVain += 1) {
      const { session, error } = await connectOwn(url, { ...options, signal }).then(
        (entered) => ({ session: entered, error: null }),
        (reason: unknown) => ({ session: null, error: reason }),
      );
      if (isLeft) return;
      if (session === null && !mayComeBack(error)) throw error;
      let why = error;
      if (session !== null) {
        const enteredMs = clock();
        void session.loggedOut.then(leave);
        yield session;
        const closing = await session.closed;
        if (given?.aborted !== true && closing.reason === "local") return;
        why = errorOf(closing);
        if (clock() - enteredMs >= goodMs) triesInVain = 0;
      }
      const { askedMs, backoffMs } = pauseOf(why, triesInVain, pauseMsMax);
      const isRestart = why instanceof PortcullisError && why.closeCode === closeCodes.restart.code;
      await pause({ askedMs: askedMs + (isRestart ? Math.random() * restartSpreadMs : 0), backoffMs }, signal);
    }
  } finally {
    // Who leaves the loop leaves the session.
    abort();
  }
}

/** @throws {PortcullisError} where the server said under seal that there is no coming back, or is none. A bare close is anybody's word. */
function errorOf({ code, sealed, retry, reason, retryAfterMs }: Closing): PortcullisError {
  const isFinal = reason === "protocol" || (sealed && !retry);
  const error = new PortcullisError("closed", { closeCode: code, retryAfterMs, sealed, retryable: !isFinal });
  if (isFinal) throw error;
  return error;
}
