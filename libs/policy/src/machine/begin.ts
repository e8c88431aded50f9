import { requiresKey } from "../policy.ts";
import { isPassable, passedByOpening, type Terms } from "./progress.ts";
import { type DenyCause, type HandshakeState, handshakeStateSchema } from "./state.ts";

/**
 * A handshake before its first event, which has to be `opened`.
 *
 * @param terms.keyId the app key under which the box opened, null in Base mode
 * @param terms.member the member who was named and exists; `enrolled` names the gates that they can answer, such as `otp`
 * @param terms.socketEnrolled the same for the socket's own authenticators
 * @param terms.now epoch ms; the handshake's deadline counts from here
 * @throws ZodError when the terms are not what a state may hold
 */
export function begin({ now, ...terms }: Terms & { readonly now: number }): HandshakeState {
  return handshakeStateSchema.parse({
    ...terms,
    deadlineMs: now + terms.policy.deadlines.handshakeMs,
    opened: false,
    passed: passedByOpening(terms),
    failures: 0,
    outstanding: null,
    pending: [],
    starting: null,
    waiting: null,
    starts: 0,
    cids: [],
    refs: [],
    verdict: null,
  });
}

/** Why no answer could lead in; null when some can. */
export function doomOf(terms: Terms): DenyCause | null {
  if (requiresKey(terms.policy) && terms.keyId === null) return "no-key";
  if (!terms.policy.anonymous && terms.member === null) return "no-member";
  return isPassable(terms) ? null : "not-enrolled";
}

/** The next moment (epoch ms) at which `expired` ends the handshake; null after the verdict. */
export function deadlineMs(state: HandshakeState): number | null {
  if (state.verdict !== null) return null;
  return Math.min(state.deadlineMs, state.outstanding?.byMs ?? Number.POSITIVE_INFINITY);
}
