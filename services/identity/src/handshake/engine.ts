import type { Caller } from "@portcullis/bus";
import { type Outcome, ServiceError, verifyFactors } from "@portcullis/contracts";
import { deadlineMs, type Effect, type HandshakeEvent } from "@portcullis/policy";
import type { Clock, Ids, Logger } from "@portcullis/runtime";
import { tagOf } from "../secrets.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { PathTags } from "../sockets/paths.ts";
import type { SocketStore } from "../sockets/store.ts";
import { admit } from "./accept.ts";
import { type Arrival, type Claims, receive } from "./arrival.ts";
import { advance, beginHandshake, type Moved } from "./moves.ts";
import { stands } from "./standing.ts";
import type { Handshake, HandshakeStore } from "./store.ts";
import type { Verdicts } from "./verdicts.ts";

export interface Answer {
  readonly gate: string;
  readonly value: string;
  readonly at: string | null;
}

export interface Opening {
  /** Names the client's frame. */
  readonly opening: string;
  readonly claims: Claims;
  readonly answers: readonly Answer[];
}

export type Action =
  | { readonly do: "answer"; readonly cid: string; readonly answer: Answer }
  | { readonly do: "offer"; readonly answers: readonly Answer[] }
  | { readonly do: "cancel" };

/** What came with a record, and what `keys` knows of it. */
export interface Taken {
  /** Of the record. */
  readonly n: number;
  /** False: the app key was revoked since. */
  readonly keyLive: boolean;
  readonly action: Action;
}

export interface EngineContext {
  readonly store: SocketStore;
  readonly handshakes: HandshakeStore;
  readonly sessions: SessionRegistry;
  readonly verdicts: Verdicts;
  readonly caller: Caller;
  readonly paths: PathTags;
  /** For the HMAC of what came with a step; a plain hash of a six-digit code would be the code. */
  readonly stepKey: Uint8Array;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Logger;
}

/** How long a finished handshake is remembered, so that a repeated step gets the same answer. */
const afterlifeMs = 60_000;
const bareDenial: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
const denial: Outcome = { say: "denied", retryAfterMs: null, sealed: true };

/**
 * Runs the pure machine of `libs/policy` on the state port. A step in which nothing has to be verified is one write with its
 * outcome. Otherwise the answer is consumed by a first write, then verified, then the result and the outcome are a second one. A
 * step that is repeated, on this replica or another, ends in the same outcome: references are made from the step's number,
 * `factors` accepts a used code again only for the same reference, and the first writer wins.
 */
export interface Engine {
  open(hid: string, opening: Opening): Promise<Outcome>;
  step(hid: string, taken: Taken): Promise<Outcome>;
  /** The connection is gone. */
  left(hid: string): Promise<void>;
}

/** What is going on: the step that is taken, and what came with it. */
interface Step {
  readonly hid: string;
  readonly n: number;
  /** HMAC of everything that came: another replica goes on only with the very same. */
  readonly given: string;
  readonly answers: readonly Answer[];
}

/** An outcome, and what to record of it once it is written. */
interface Decided {
  readonly outcome: Outcome;
  readonly record: () => void;
}

export function createEngine(context: EngineContext): Engine {
  const { handshakes, sessions, verdicts, clock, ids } = context;

  async function open(hid: string, { opening, claims, answers }: Opening): Promise<Outcome> {
    const received = await receive(context.store, context.paths, claims);
    if ("turned" in received) {
      verdicts.turned(received.turned);
      return bareDenial;
    }
    renewPathTag(received.arrival, claims);
    const given = tagOf(context.stepKey, JSON.stringify([hid, opening, claims, answers]));
    const first = { ...beginHandshake(received.arrival, claims, clock()), given };
    const refs = answers.map((answer, index) => ({ ref: `0-${index}`, gate: answer.gate, ...at(answer) }));
    const moved = advance(first, { type: "opened", answers: refs, cid: ids.id(), now: clock() });
    return take({ hid, n: 0, given, answers }, null, moved);
  }

  async function step(hid: string, { n, keyLive, action }: Taken): Promise<Outcome> {
    const found = await handshakes.get(hid);
    // Gone by its deadline: whatever the client proved before, it starts anew.
    if (found === null) return denial;
    const { value, version } = found;
    const answers = action.do === "answer" ? [action.answer] : action.do === "offer" ? action.answers : [];
    const given = tagOf(context.stepKey, JSON.stringify([hid, n, action]));
    const taken: Step = { hid, n, given, answers };
    if (n === value.n) return resume(taken);
    if (n !== value.n + 1 || isOver(value)) throw new ServiceError("conflict");
    if (value.outcome === null) throw new ServiceError("busy");
    // Whoever was thrown out meanwhile is not asked on, and what they say is not even verified.
    const isRevoked = !keyLive || !(await stands(context.store, value));
    const event: HandshakeEvent = isRevoked ? { type: "revoked", now: clock() } : eventOf(n, action);
    return take(taken, version, advance({ ...value, n, given, outcome: null }, event));
  }

  /** The step's first write. @param version null where there is nothing yet. */
  async function take(step: Step, version: string | null, moved: Moved): Promise<Outcome> {
    if (moved.next.pending.length === 0) return finish(step, version, moved);
    const written = await write(step.hid, version, moved.next);
    return written === null ? resume(step) : settle(step, written, moved.next);
  }

  /** Somebody took this step before: what they said, or what they did not get to say. */
  async function resume(step: Step): Promise<Outcome> {
    const found = await handshakes.get(step.hid);
    if (found === null) return denial;
    const { value, version } = found;
    if (value.n !== step.n || value.given !== step.given) throw new ServiceError("conflict");
    return value.outcome ?? settle(step, version, value);
  }

  /** Has everything verified that is pending; several replicas may do so at once. */
  async function settle(step: Step, version: string, pending: Handshake): Promise<Outcome> {
    const results = await verify(step, pending);
    const event: HandshakeEvent = { type: "verified", results, nextCid: ids.id(), now: clock() };
    return finish(step, version, advance({ ...pending, pending: [] }, event));
  }

  /** The step's last write, which decides between those who take it at once. */
  async function finish(step: Step, version: string | null, moved: Moved): Promise<Outcome> {
    const { outcome, record } = await decide(step.hid, moved);
    if ((await write(step.hid, version, { ...moved.next, outcome })) !== null) {
      record();
      return outcome;
    }
    // What the other one said stands, and a session registered here is nobody's.
    if (outcome.say === "accepted") await discard(outcome.admitted.sid);
    return resume(step);
  }

  function write(hid: string, version: string | null, next: Handshake): Promise<string | null> {
    const ttlMs = Math.max(0, deadlineOf(next) - clock()) + afterlifeMs;
    return version === null ? handshakes.create(hid, next, ttlMs) : handshakes.replace(hid, version, next, ttlMs);
  }

  /** @throws {ServiceError} unavailable: no verdict without an answer to each question. */
  async function verify({ hid, answers }: Step, { socketId, memberId, pending }: Handshake) {
    const items = pending.map(({ ref, gate, config }) => ({
      ref,
      gate,
      config,
      value: answers[indexOf(ref)]?.value ?? "",
    }));
    const { results } = await context.caller.call(verifyFactors, { hid, socketId, memberId, items });
    return items.map(({ ref, gate }) => {
      const [result, ...more] = results.filter((each) => each.ref === ref);
      if (result === undefined || more.length > 0) throw new ServiceError("unavailable");
      verdicts.gate(gate, result.ok, result.cause);
      return { ref, ok: result.ok };
    });
  }

  async function decide(hid: string, { next, effects }: Moved): Promise<Decided> {
    const nothingToRecord = () => undefined;
    for (const effect of effects) {
      if (effect.do === "accept") return accept(hid, next, effect);
      if (effect.do === "deny") return deny(next, effect.cause);
      if (effect.do !== "challenge") continue;
      const outcome: Outcome = {
        say: "challenge",
        cid: effect.cid,
        options: effect.options.map(({ at: position, gate }) => ({ at: position, gate, prompt: null })),
        attemptsLeft: effect.attemptsLeft,
        answerMs: Math.max(1, effect.answerByMs - clock()),
        retry: effect.retry,
        deadlineMs: deadlineOf(next),
      };
      return { outcome, record: nothingToRecord };
    }
    return { outcome: { say: "nothing", deadlineMs: deadlineOf(next) }, record: nothingToRecord };
  }

  function deny({ startedAtMs }: Handshake, cause: string): Decided {
    return { outcome: denial, record: () => verdicts.denied(cause, clock() - startedAtMs) };
  }

  async function accept(
    hid: string,
    handshake: Handshake,
    effect: Extract<Effect, { do: "accept" }>,
  ): Promise<Decided> {
    const gates = effect.passed.filter((gate, index, all) => all.indexOf(gate) === index);
    const admitted = await admit(context, hid, handshake, gates, effect.assurance.memberBound);
    if (admitted === null) return deny(handshake, "revoked");
    const { key, memberBound } = effect.assurance;
    return {
      outcome: {
        say: "accepted",
        admitted,
        gates,
        assurance: { key, memberBound, gates: [...effect.assurance.gates] },
        policyHash: new Uint8Array(Buffer.from(handshake.policyHash, "base64url")),
      },
      record: () => verdicts.accepted(gates, clock() - handshake.startedAtMs),
    };
  }

  async function discard(sid: string): Promise<void> {
    const session = await sessions.get(sid);
    if (session !== null) await sessions.remove(session, null);
  }

  /** If another step wins meanwhile, that one's verdict stands, and the deadline ends what has none. */
  async function left(hid: string): Promise<void> {
    const found = await handshakes.get(hid);
    if (found === null) return;
    const { next, effects } = advance(found.value, { type: "left", now: clock() });
    const denied = effects.find((effect) => effect.do === "deny");
    if (denied === undefined) return;
    const { outcome, record } = deny(next, denied.cause);
    if ((await write(hid, found.version, { ...next, pending: [], outcome })) !== null) record();
  }

  /** Under a new master key a path is found by its old HMAC until somebody comes by who knows it: then it gets the new one. */
  function renewPathTag({ socket: { id, version, body } }: Arrival, { connection }: Claims): void {
    const pathTag = context.paths.current(connection.label, connection.path);
    if (body.pathTag === pathTag) return;
    context.store.sockets.replace(id, version, { ...body, pathTag }).catch((error: unknown) => {
      context.log.warn("a path could not be written under the current master key", { socket: id }, error);
    });
  }

  function deadlineOf(handshake: Handshake): number {
    return deadlineMs(handshake.machine) ?? clock();
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

function isOver({ outcome }: Handshake): boolean {
  return outcome?.say === "accepted" || outcome?.say === "denied";
}

/** References are `<step>-<index>`, so that a replica that repeats the step finds the value that belongs to each. */
function indexOf(ref: string): number {
  return Number(ref.slice(ref.indexOf("-") + 1));
}

function at(answer: Answer): { at?: string } {
  return answer.at === null ? {} : { at: answer.at };
}
