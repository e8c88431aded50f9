import { mayComeBack, pauseOf } from "./comeback.ts";
import { ownError, PortcullisError } from "./errors.ts";
import type { Link } from "./link.ts";
import type { Settings } from "./options.ts";
import { pause } from "./pause.ts";
import { type Resumed, resumeSession } from "./resume.ts";
import { createScope } from "./scope.ts";

/** Who comes from an edge that restarts does not come with all the others. */
export const restartSpreadMs = 10_000;

/**
 * Tries one connection after the other until the session goes on over one.
 *
 * @param parts.next counter of the first message that may not have arrived, by the time of each try
 * @param parts.isRestart whether the edge said that it restarts
 * @param parts.signal nobody wants it to go on any more
 * @returns null where the server would not take it any more, or said that it does not go on
 */
export async function goOn(parts: {
  readonly settings: Settings;
  /** As it was accepted first. */
  readonly accepted: Link["accepted"];
  readonly secret: Uint8Array;
  readonly fingerprint: string;
  readonly next: () => number;
  readonly isRestart: boolean;
  readonly signal: AbortSignal;
}): Promise<Resumed | null> {
  const { settings, accepted, secret, fingerprint, isRestart, signal } = parts;
  const { clock, helloTimeoutMs } = settings;
  const { resumeMs = 0, expiresAt } = accepted;
  const untilMs = Math.min(clock() + resumeMs, expiresAt);
  const spreadMs = Math.random() * Math.min(restartSpreadMs, resumeMs / 2);
  let wait = isRestart ? { askedMs: spreadMs, backoffMs: 0 } : pauseOf(null, 0);
  for (let triesInVain = 0; ; triesInVain += 1) {
    // Who is asked to wait longer than there is time for does not wait.
    if (clock() + wait.askedMs >= untilMs) return null;
    await pause(wait, signal);
    if (signal.aborted || clock() >= untilMs) return null;
    const scope = createScope(signal);
    try {
      scope.failAfter(helloTimeoutMs, new PortcullisError("unreachable"));
      return await resumeSession({ settings, accepted, secret, fingerprint, next: parts.next(), scope });
    } catch (error) {
      const own = ownError(error);
      if (signal.aborted || !mayComeBack(own)) return null;
      wait = pauseOf(own, triesInVain + 1);
    } finally {
      scope.end();
    }
  }
}
