import type { Moved } from "./moves.ts";
import type { Handshake } from "./store.ts";
import { judgedBy } from "./tolling.ts";

/**
 * A step that has not ended after this long was left by a replica that is gone. Until then whoever comes back is told to try again, so that a
 * comeback is no way to have an answer looked at and not counted.
 */
export const strandedAfterMs = 6_000;

/** What becomes of an answer that went with whoever looked at it: wrong. */
export function asWrong({ pending }: Pick<Handshake, "pending">): { readonly ref: string; readonly ok: false }[] {
  return pending.map(({ ref }) => ({ ref, ok: false as const }));
}

/** What it was charged is concluded like that of any other wrong answer: a lockout that it wrote would stand, and be told to nobody. */
export function unjudged(handshake: Handshake): Pick<Moved, "judged"> {
  const { charges, pending } = handshake;
  return charges.length === 0 ? {} : { judged: judgedBy(charges, pending, asWrong(handshake)) };
}
