import { parkedPskId } from "@portcullis/crypto";
import { PortcullisError } from "./errors.ts";
import type { Credentials, Opened } from "./opening.ts";
import type { Pause } from "./pause.ts";

const pauseMsFirst = 200;

/** Whether the handshake may stand as it was: the network, an edge or a part behind it is gone for a while. Where time has passed it does not. */
export function mayComeBack(error: unknown): boolean {
  return error instanceof PortcullisError && error.retryable && error.code !== "timeout";
}

/** Whether the server itself says that the handshake does not go on, and that this is no verdict. Anybody else could have us begin without end. */
export function isOverUnjudged(error: unknown): boolean {
  return error instanceof PortcullisError && error.sealed && error.code === "timeout";
}

/** Shorter than anybody notices, and than any delay that a policy has but the end of one. */
const soonMs = 1_000;
/** Each time there are fewer who came at once, and the pause between is longer. */
export const tryAgainMax = 3;

/**
 * Whether what was said last was not looked at, and will be in a moment: several came at once as the same member, or an answer was due to be paid for. Begun anew they
 * are asked for their proof of work first. By the server's own word only, and so often only.
 */
export function isAskedAgain(error: unknown): boolean {
  if (!(error instanceof PortcullisError) || !error.sealed || error.code !== "denied") return false;
  return error.retryAfterMs !== null && error.retryAfterMs <= soonMs;
}

/** @returns null where the server had said nothing yet on this connection: then what worked before is tried again. */
export async function comebackOf(opened: Opened | null): Promise<Credentials | null> {
  if (opened === null || !opened.channel.begun) return null;
  const { channel, hid, server } = opened;
  // Whoever this was before, it must be the same now: by the pin, since another edge may show the key before for a minute.
  const pin = server.successorOf ?? server.fingerprint;
  return { psk: { id: parkedPskId(hid), secret: await channel.park() }, pin };
}

/**
 * Doubling, and anything from nothing to that ("full jitter"): clients that lost their connections together do not come back together,
 * behind what the server asked for either.
 *
 * @param pauseMsMax to which it grows
 */
export function pauseOf(error: unknown, triesInVain: number, pauseMsMax = 5_000): Pause {
  const askedMs = error instanceof PortcullisError ? (error.retryAfterMs ?? 0) : 0;
  const backoffMs = Math.min(pauseMsMax, pauseMsFirst * 2 ** Math.min(triesInVain, 20)) * Math.random();
  return { askedMs, backoffMs };
}
