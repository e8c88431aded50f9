import type { Accepted } from "@portcullis/protocol";
import { mayComeBack, pauseMsOf } from "./comeback.ts";
import { ownError, PortcullisError } from "./errors.ts";
import type { Settings } from "./options.ts";
import { type Resumed, resumeSession } from "./resume.ts";
import { createScope } from "./scope.ts";

/** Who comes from an edge that restarts does not come with all the others. */
const restartSpreadMs = 10_000;

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
  readonly accepted: Accepted;
  readonly secret: Uint8Array;
  readonly fingerprint: string;
  readonly next: () => number;
  readonly isRestart: boolean;
  readonly signal: AbortSignal;
}): Promise<Resumed | null> {
  const { settings, accepted, secret, fingerprint, next, isRestart, signal } = parts;
  const { clock, helloTimeoutMs } = settings;
  const { resumeMs = 0, expiresAt } = accepted;
  const untilMs = Math.min(clock() + resumeMs, expiresAt);
  let delayMs = isRestart ? Math.random() * Math.min(restartSpreadMs, resumeMs / 2) : pauseMsOf(null, 0);
  for (let triesInVain = 0; ; triesInVain += 1) {
    await pause(delayMs, signal);
    if (signal.aborted || clock() >= untilMs) return null;
    const scope = createScope(signal);
    try {
      scope.failAfter(helloTimeoutMs, new PortcullisError("unreachable"));
      return await resumeSession({ settings, accepted, secret, fingerprint, next: next(), scope });
    } catch (error) {
      const own = ownError(error);
      if (signal.aborted || !mayComeBack(own)) return null;
      delayMs = pauseMsOf(own, triesInVain + 1);
    } finally {
      scope.end();
    }
  }
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", done);
  });
}
