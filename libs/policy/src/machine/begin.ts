import { requiresKey, requiresTicket } from "../policy.ts";
import { branchesOf, type Circumstances } from "../when/branches.ts";
import { isPassable, passedByOpening, type Terms } from "./progress.ts";
import { type DenyCause, type HandshakeState, handshakeStateSchema } from "./state.ts";

export interface Beginning extends Omit<Terms, "branches" | "ticket" | "work" | "held"> {
  /** Default false. */
  readonly ticket?: boolean;
  /** Default false. */
  readonly work?: boolean;
  /** Default none. */
  readonly held?: readonly string[];
  readonly circumstances?: Circumstances;
  readonly now: number;
}

/**
 * A handshake before its first event, which has to be `opened`.
 *
 * @param beginning.keyId the app key under which the box opened, null in Base mode
 * @param beginning.member the member who was named and exists; `enrolled` names the gates that they can answer, such as `otp`
 * @param beginning.socketEnrolled the same for the socket's own authenticators
 * @param beginning.ticket a ticket came along that is for this member on this socket
 * @param beginning.work a proof of work is asked for first
 * @param beginning.held names of gates at which nothing is looked at now
 * @param beginning.circumstances what each `when` is decided by, now and for good
 * @param beginning.now epoch ms; the handshake's deadline counts from here
 * @throws ZodError when it is not what a state may hold
 */
export function begin({
  now,
  circumstances = {},
  ticket = false,
  work = false,
  held = [],
  ...given
}: Beginning): HandshakeState {
  const terms: Terms = { ...given, ticket, work, held, branches: branchesOf(given.policy.gates, circumstances, now) };
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
  if (requiresTicket(terms.policy) && !terms.ticket) return "no-ticket";
  if (isPassable(terms)) return null;
  return terms.held.length > 0 && isPassable({ ...terms, held: [] }) ? "held" : "not-enrolled";
}

/** Whether nothing but what is held keeps them out, with the best ticket that there is: whoever finds out before need not use one up. */
export function isShut(beginning: Omit<Beginning, "ticket">): boolean {
  return doomOf(begin({ ...beginning, ticket: true })) === "held";
}

/** The next moment (epoch ms) at which `expired` ends the handshake; null after the verdict. */
export function deadlineMs(state: HandshakeState): number | null {
  if (state.verdict !== null) return null;
  return Math.min(state.deadlineMs, state.outstanding?.byMs ?? Number.POSITIVE_INFINITY);
}
