import { authenticatorsOf, begin, type Effect, type HandshakeEvent, transition } from "@portcullis/policy";
import { toText } from "../secrets.ts";
import type { Arrival, Claims } from "./arrival.ts";
import type { Handshake } from "./store.ts";

export interface Moved {
  readonly next: Handshake;
  readonly effects: readonly Effect[];
}

/** One move of the machine; what it wants verified is remembered beside its state. */
export function advance(handshake: Handshake, event: HandshakeEvent): Moved {
  const { state, effects } = transition(handshake.machine, event);
  const pending = effects.flatMap((effect) =>
    effect.do === "verify" ? effect.items.map(({ ref, gate, config }) => ({ ref, gate, config: { ...config } })) : [],
  );
  return { next: { ...handshake, machine: state, pending: pending.length > 0 ? pending : handshake.pending }, effects };
}

/** A handshake before its first event. Who came with what is named by whoever takes the step. */
export function beginHandshake(
  { socket, member, policy, policyHash }: Arrival,
  claims: Claims,
  now: number,
): Omit<Handshake, "given"> {
  const keyId = claims.key?.keyId ?? null;
  const machine = begin({
    policy,
    keyId,
    member: member === null ? null : { id: member.id, enrolled: member.body.authenticator !== null ? ["otp"] : [] },
    socketEnrolled: socket.body.authenticator !== null ? ["otp"] : [],
    now,
  });
  return {
    machine,
    socketId: socket.id,
    memberId: member?.id ?? null,
    member: member?.body.name ?? null,
    keyId,
    enrolments: authenticatorsOf(machine).flatMap(({ of }) => {
      const id = of === "member" ? member?.body.authenticator : socket.body.authenticator;
      return id == null ? [] : [{ of, id }];
    }),
    policyHash: toText(policyHash),
    sessionMs: policy.sessionMs,
    maxBytes: policy.messaging.maxBytes,
    perSecond: policy.messaging.perSecond,
    startedAtMs: now,
    pending: [],
    n: 0,
    outcome: null,
  };
}
