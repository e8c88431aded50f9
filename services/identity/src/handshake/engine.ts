import type { Caller } from "@portcullis/bus";
import { type Outcome, ServiceError, verifyFactors } from "@portcullis/contracts";
import { begin, deadlineMs, type Effect, type HandshakeEvent, transition } from "@portcullis/policy";
import type { Clock, Ids, Logger } from "@portcullis/runtime";
import { toText } from "../secrets.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { SocketStore } from "../sockets/store.ts";
import { admit } from "./accept.ts";
import { type Arrival, type Claims, receive } from "./arrival.ts";
import type { Handshake, HandshakeStore } from "./store.ts";
import type { Verdicts } from "./verdicts.ts";

export interface Answer {
  readonly gate: string;
  readonly value: string;
  readonly at: string | null;
}

export type Action =
  | { readonly do: "answer"; readonly cid: string; readonly answer: Answer }
  | { readonly do: "offer"; readonly answers: readonly Answer[] }
  | { readonly do: "cancel" };

export interface EngineContext {
  readonly store: SocketStore;
  readonly handshakes: HandshakeStore;
  readonly sessions: SessionRegistry;
  readonly verdicts: Verdicts;
  readonly caller: Caller;
  readonly pathKey: Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** How long a finished handshake is remembered, so that a repeated step gets the same answer. */
const afterlifeMs = 60_000;
const bareDenial: Outcome = { say: "denied", retryAfterMs: null, sealed: false };

/**
 * Runs the pure machine of `libs/policy` on the state port. Each step: consume the answer by compare-and-set, have it verified,
 * apply the result by compare-and-set. A step that is repeated, on this replica or another, ends in the same outcome: references
 * are made from the step's number, `factors` accepts a used code again only for the same reference, and the first writer wins.
 */
export interface Engine {
  open(hid: string, claims: Claims, answers: readonly Answer[]): Promise<Outcome>;
  step(hid: string, n: number, action: Action): Promise<Outcome>;
  /** The connection is gone. */
  left(hid: string): Promise<void>;
}

export function createEngine(context: EngineContext): Engine {
  const { handshakes, clock, ids } = context;

  async function open(hid: string, claims: Claims, answers: readonly Answer[]): Promise<Outcome> {
    const received = await receive(context.store, context.pathKey, claims);
    if ("turned" in received) {
      context.verdicts.turned(received.turned);
      return bareDenial;
    }
    const first = beginHandshake(received.arrival, claims, clock());
    const refs = answers.map((answer, index) => ({ ref: `0-${index}`, gate: answer.gate, ...at(answer) }));
    const moved = apply(first, { type: "opened", answers: refs, cid: ids.id(), now: clock() });
    const version = await handshakes.create(hid, moved.next, ttlOf(moved.next));
    return version === null ? resume(hid, 0, answers) : settle(hid, version, moved, answers);
  }

  async function step(hid: string, n: number, action: Action): Promise<Outcome> {
    const found = await handshakes.get(hid);
    // Gone by its deadline: whatever the client proved before, it starts anew.
    if (found === null) return { say: "denied", retryAfterMs: null, sealed: true };
    const answers = action.do === "answer" ? [action.answer] : action.do === "offer" ? action.answers : [];
    if (n === found.value.n) return resume(hid, n, answers);
    if (n !== found.value.n + 1) throw new ServiceError("conflict");
    if (found.value.outcome === null) throw new ServiceError("busy");
    const moved = apply({ ...found.value, n, outcome: null }, eventOf(n, action));
    const version = await handshakes.replace(hid, found.version, moved.next, ttlOf(moved.next));
    return version === null ? resume(hid, n, answers) : settle(hid, version, moved, answers);
  }

  /** Step `n` was already taken: its outcome, or its verification once more where whoever took it did not finish. */
  async function resume(hid: string, n: number, answers: readonly Answer[]): Promise<Outcome> {
    const found = await handshakes.get(hid);
    if (found === null || found.value.n !== n) throw new ServiceError("conflict");
    if (found.value.outcome !== null) return found.value.outcome;
    return settle(hid, found.version, { next: found.value, effects: [] }, answers);
  }

  /** Has everything verified that is pending, and turns what the machine then says into the outcome of this step. */
  async function settle(hid: string, version: string, moved: Moved, answers: readonly Answer[]): Promise<Outcome> {
    let { next, effects } = moved;
    if (next.pending.length > 0) {
      const results = await verify(hid, next, answers);
      ({ next, effects } = apply(
        { ...next, pending: [] },
        { type: "verified", results, nextCid: ids.id(), now: clock() },
      ));
    }
    const outcome = await outcomeOf(hid, next, effects);
    next = { ...next, outcome };
    if ((await handshakes.replace(hid, version, next, ttlOf(next))) !== null) return outcome;
    // Somebody else finished the same step first; what they said stands, and a session registered here is nobody's.
    if (outcome.say === "accepted") await discard(outcome.admitted.sid);
    const winner = await handshakes.get(hid);
    if (winner?.value.n === next.n && winner.value.outcome !== null) return winner.value.outcome;
    throw new ServiceError("busy");
  }

  async function verify(hid: string, handshake: Handshake, answers: readonly Answer[]) {
    const items = handshake.pending.map(({ ref, gate, config }) => ({
      ref,
      gate,
      config,
      value: answers[indexOf(ref)]?.value ?? "",
    }));
    const { results } = await context.caller.call(verifyFactors, {
      hid,
      socketId: handshake.socketId,
      memberId: handshake.memberId,
      items,
    });
    for (const { ref, ok, cause } of results) {
      const gate = items.find((item) => item.ref === ref)?.gate ?? "unknown";
      context.verdicts.gate(gate, ok, cause);
    }
    return results.map(({ ref, ok }) => ({ ref, ok }));
  }

  async function outcomeOf(hid: string, handshake: Handshake, effects: readonly Effect[]): Promise<Outcome> {
    for (const effect of effects) {
      if (effect.do === "challenge") {
        return {
          say: "challenge",
          cid: effect.cid,
          options: effect.options.map(({ at: position, gate }) => ({ at: position, gate, prompt: null })),
          attemptsLeft: effect.attemptsLeft,
          answerMs: Math.max(1, effect.answerByMs - clock()),
          retry: effect.retry,
          deadlineMs: deadlineOf(handshake),
        };
      }
      if (effect.do === "accept") return accepted(hid, handshake, effect);
      if (effect.do === "deny") {
        context.verdicts.denied(effect.cause, clock() - handshake.startedAtMs);
        return { say: "denied", retryAfterMs: null, sealed: true };
      }
    }
    return { say: "nothing", deadlineMs: deadlineOf(handshake) };
  }

  async function accepted(
    hid: string,
    handshake: Handshake,
    effect: Extract<Effect, { do: "accept" }>,
  ): Promise<Outcome> {
    const gates = effect.passed.filter((gate, index, all) => all.indexOf(gate) === index);
    const admitted = await admit(context, hid, handshake, gates, effect.assurance.memberBound);
    if (admitted === null) {
      context.verdicts.denied("revoked", clock() - handshake.startedAtMs);
      return { say: "denied", retryAfterMs: null, sealed: true };
    }
    context.verdicts.accepted(gates, clock() - handshake.startedAtMs);
    const { key, memberBound } = effect.assurance;
    return {
      say: "accepted",
      admitted,
      gates,
      assurance: { key, memberBound, gates: [...effect.assurance.gates] },
      policyHash: new Uint8Array(Buffer.from(handshake.policyHash, "base64url")),
    };
  }

  async function discard(sid: string): Promise<void> {
    const session = await context.sessions.get(sid);
    if (session !== null) await context.sessions.remove(session, null);
  }

  async function left(hid: string): Promise<void> {
    const found = await handshakes.get(hid);
    if (found === null) return;
    const { next, effects } = apply(found.value, { type: "left", now: clock() });
    const denied = effects.find((effect) => effect.do === "deny");
    if (denied === undefined) return;
    if ((await handshakes.replace(hid, found.version, next, afterlifeMs)) !== null) {
      context.verdicts.denied(denied.cause, clock() - found.value.startedAtMs);
    }
  }

  function deadlineOf(handshake: Handshake): number {
    return deadlineMs(handshake.machine) ?? clock();
  }

  function ttlOf(handshake: Handshake): number {
    return Math.max(0, deadlineOf(handshake) - clock()) + afterlifeMs;
  }

  function eventOf(n: number, action: Action): HandshakeEvent {
    const now = clock();
    switch (action.do) {
      case "answer": {
        const { answer, cid } = action;
        return { type: "answered", cid, gate: answer.gate, ...at(answer), ref: `${n}-0`, nextCid: ids.id(), now };
      }
      case "offer":
        return {
          type: "offered",
          answers: action.answers.map((answer, index) => ({ ref: `${n}-${index}`, gate: answer.gate, ...at(answer) })),
          now,
        };
      case "cancel":
        return { type: "left", now };
    }
  }

  return { open, step, left };
}

interface Moved {
  readonly next: Handshake;
  readonly effects: readonly Effect[];
}

/** One move of the machine; what it wants verified is remembered beside its state. */
function apply(handshake: Handshake, event: HandshakeEvent): Moved {
  const { state, effects } = transition(handshake.machine, event);
  const pending = effects.flatMap((effect) =>
    effect.do === "verify" ? effect.items.map(({ ref, gate, config }) => ({ ref, gate, config: { ...config } })) : [],
  );
  return { next: { ...handshake, machine: state, pending: pending.length > 0 ? pending : handshake.pending }, effects };
}

function beginHandshake({ socket, member, policy, policyHash }: Arrival, claims: Claims, now: number): Handshake {
  const machine = begin({
    policy,
    keyId: claims.key?.keyId ?? null,
    member: member === null ? null : { id: member.id, enrolled: member.body.authenticator ? ["otp"] : [] },
    socketEnrolled: socket.body.authenticator ? ["otp"] : [],
    now,
  });
  return {
    machine,
    socketId: socket.id,
    memberId: member?.id ?? null,
    member: member?.body.name ?? null,
    keyId: claims.key?.keyId ?? null,
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

/** References are `<step>-<index>`, so that a replica that repeats the step finds the value that belongs to each. */
function indexOf(ref: string): number {
  return Number(ref.slice(ref.indexOf("-") + 1));
}

function at(answer: Answer): { at?: string } {
  return answer.at === null ? {} : { at: answer.at };
}
