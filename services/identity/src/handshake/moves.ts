import {
  authenticatorsOf,
  begin,
  type Circumstances,
  type Effect,
  type HandshakeEvent,
  transition,
} from "@portcullis/policy";
import { beginPlayed } from "../decoy/begin.ts";
import type { Charged } from "../penalties/penalties.ts";
import { toText } from "../secrets.ts";
import { termsOf } from "../sessions/terms.ts";
import type { Arrival, Claims } from "./arrival.ts";
import { mergeParameters } from "./parameters.ts";
import { policyFor } from "./presented.ts";
import type { Handshake } from "./store.ts";

export interface Moved {
  readonly next: Handshake;
  readonly effects: readonly Effect[];
  /** What the client's network is to be held to account for. */
  readonly failures: number;
  /** What was charged to whom, and found right or wrong. */
  readonly judged?: { readonly right: readonly Charged[]; readonly wrong: readonly Charged[] };
}

/** One move of the machine; what it wants to be done before the next one is remembered beside its state. */
export function advance(handshake: Handshake, event: HandshakeEvent): Moved {
  const { state, effects } = transition(handshake.machine, event);
  const next: Handshake = { ...handshake, machine: state };
  for (const effect of effects) {
    if (effect.do === "verify")
      next.pending = effect.items.map(({ config, ...item }) => ({ ...item, config: { ...config } }));
    if (effect.do === "start") {
      const { waitId, gate, config, byMs } = effect;
      next.beginning = { waitId, gate, config: { ...config }, byMs };
    }
  }
  const refused = effects.filter((effect) => effect.do === "deny" && effect.cause === "refused").length;
  // What is played is held against nobody: the network, too, is one that real people have.
  const failures = handshake.room === null ? state.failures - handshake.machine.failures + refused : 0;
  return { next, effects, failures };
}

/** Whether something has to be asked of `factors` before there is an outcome. */
export function isUnsettled({ pending, beginning, resending, unasked }: Handshake): boolean {
  return pending.length > 0 || beginning !== null || resending !== null || unasked !== null;
}

/** Whether somebody may be looking at what the client said. What could only not be asked, nobody looks at. */
export function isLookedAt({ outcome, unasked }: Handshake): boolean {
  return outcome === null && unasked === null;
}

/** The same with nothing left to be asked. */
export function settled(handshake: Handshake): Handshake {
  return { ...handshake, pending: [], beginning: null, resending: null, unasked: null };
}

/** A handshake before its first event. Who came with what, and over which connection, is named by whoever takes the step. */
export function beginHandshake(
  { socket, member, policy, policyHash, presented, standing, trusted, context }: Arrival,
  claims: Claims,
  circumstances: Circumstances,
  { now, room }: { readonly now: number; readonly room: string | null },
): Omit<Handshake, "given" | "connection" | "transcript" | "network"> {
  const keyId = claims.key?.keyId ?? null;
  const isMember = presented.role === "member";
  const beginning = {
    policy: policyFor(presented, policy),
    keyId,
    member: member === null ? null : { id: member.id, enrolled: Object.keys(member.body.enrolments) },
    socketEnrolled: Object.keys(socket.body.enrolments),
    circumstances,
    ticket: presented.passed,
    // Whoever comes as the owner, or for them, has nothing here to answer, and whoever offers is not asked.
    work: isMember && policy.mode === "prompted" && standing.work,
    held: isMember && room === null ? [...new Set(standing.holds.flatMap(({ gate }) => gate ?? []))] : [],
    now,
  };
  const machine = room === null ? begin(beginning) : beginPlayed(beginning);
  const ofTicket = presented.enrolment === null ? [] : [{ ...presented.enrolment, of: "member" as const }];
  const ofGates = authenticatorsOf(machine).flatMap(({ gate, of }) => {
    const id = of === "member" ? member?.body.enrolments[gate] : socket.body.enrolments[gate];
    return id === undefined ? [] : [{ gate, of, id }];
  });
  return {
    machine,
    stepUp: null,
    socketId: socket.id,
    room,
    label: socket.body.label,
    memberId: member?.id ?? null,
    member: member?.body.name ?? null,
    keyId,
    role: presented.role,
    context,
    parameters: mergeParameters({}, claims.parameters),
    enrolments: [...ofTicket, ...ofGates],
    policyHash: toText(policyHash),
    sessionMs: policy.sessionMs,
    // A member is asked again. Whoever is here as the owner, or for them, came in by that and has nothing here to answer with.
    // In a decoy there is nobody who could be asked for.
    terms: isMember && room === null ? termsOf(policy) : { ...termsOf(policy), during: null },
    startedAtMs: now,
    takenAtMs: now,
    pending: [],
    beginning: null,
    resending: null,
    unasked: null,
    wait: null,
    // What is played touches nobody real, and nobody real is held up by it.
    counted: { exempt: trusted || room !== null, known: standing.known, usedWork: false },
    charges: [],
    hold: null,
    n: 0,
    outcome: null,
    standing: null,
    pushes: 0,
  };
}
