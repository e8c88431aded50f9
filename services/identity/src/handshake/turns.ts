import { type Outcome, resendWait, ServiceError, type WaitView } from "@portcullis/contracts";
import {
  askAgain,
  type DenyCause,
  type Effect,
  type HandshakeEvent,
  standsOrFallsWith,
  waitingGate,
} from "@portcullis/policy";
import type { Subject } from "../penalties/subjects.ts";
import { endOf } from "../sessions/revocation.ts";
import { type Admission, admit } from "./accept.ts";
import type { EngineContext } from "./context.ts";
import { advance, isUnsettled, type Moved, settled } from "./moves.ts";
import { createQuestions } from "./questions.ts";
import { beginAnew, denial, refusalOf } from "./refusal.ts";
import type { Handshake } from "./store.ts";
import { judgedBy, type Tolling, withJudged } from "./tolling.ts";
import type { Turn, Where } from "./turn.ts";
import { whoOf } from "./verdicts.ts";

/** An outcome, and what to record of it once it is written. */
export interface Decided {
  readonly outcome: Outcome;
  readonly record: () => void;
}

export interface Turns {
  /** A step's first write. @param version null where there is nothing yet. */
  take(turn: Turn, version: string | null, moved: Moved): Promise<Outcome>;
  /** Somebody took this step before: what they said, or what they did not get to say. */
  resume(turn: Turn): Promise<Outcome>;
  /** The message of the wait once more. It answers nothing, so that one which comes too late costs nothing. */
  resend(turn: Turn, version: string, taken: Handshake, cid: string): Promise<Outcome>;
  /** A step that comes to nothing. */
  nothing(turn: Turn, version: string, taken: Handshake): Promise<Outcome>;
  decide(where: Where, moved: Moved): Promise<Decided>;
  /**
   * Another session for who was let in, on the connection where they are now. It ends when the one before would have ended, and there is
   * none for who was put out of that one, left it, or was asked for more in it. To be asked when that one is gone: whoever is put out, or asked, later is
   * put out of this one, and asked in it.
   */
  admitAgain(hid: string, handshake: Handshake, accepted: Extract<Outcome, { say: "accepted" }>): Promise<Outcome>;
  /** An accept that was not written is nobody's. */
  discard(outcome: Outcome): Promise<void>;
  write(id: string, version: string | null, next: Handshake): Promise<string | null>;
  deadlineOf(handshake: Handshake): number;
}

/** A wait has changed between the reading of a handshake and the writing of a step, which is to be taken again: nothing of it was done. */
export class Overtaken extends ServiceError {
  constructor() {
    super("busy");
  }
}

/** How long a finished handshake is remembered, so that a repeated step gets the same answer. */
const afterlifeMs = 60_000;
/** What a verdict may take that a record crossed on its way. */
const crossingMs = 15_000;

export function createTurns(context: EngineContext, tolls: Tolling): Turns {
  const { handshakes, verdicts, caller, clock, ids, decoys } = context;
  const { verify, beginWait, challenge, wait, deadlineOf } = createQuestions(context);
  const sessionsOf = (isPlayed: boolean) => (isPlayed ? decoys.sessions : context.sessions);

  async function take(turn: Turn, version: string | null, moved: Moved): Promise<Outcome> {
    if (!isUnsettled(moved.next)) return finish(turn, version, moved);
    const next = moved.next.pending.length > 0 ? await tolls.charge(turn, moved.next) : moved.next;
    // What was said is not looked at: neither what is right nor what is wrong can be learnt from it.
    if (next.hold !== null) {
      const held = advance(settled(next), { type: "held", now: clock() });
      return finish(turn, version, { ...held, failures: moved.failures });
    }
    const written = await write(turn.id, version, next);
    if (written === null) return resume(turn);
    await tolls.conclude(next, { failures: moved.failures });
    return settle(turn, written, next);
  }

  async function resume(turn: Turn): Promise<Outcome> {
    const found = await handshakes.get(turn.id);
    if (found === null) return denial;
    const { value, version } = found;
    if (value.n < turn.n) throw new Overtaken();
    if (value.n !== turn.n || value.given !== turn.given) throw new ServiceError("conflict");
    return value.outcome ?? settle(turn, version, value);
  }

  /** Asks what has to be asked; several replicas may do so at once. */
  async function settle(turn: Turn, version: string, unsettled: Handshake): Promise<Outcome> {
    const next = settled(unsettled);
    if (unsettled.unasked !== null) {
      const again = askAgain(next.machine, unsettled.unasked.retry);
      return finish(turn, version, { next, effects: again === null ? [] : [again], failures: 0 });
    }
    if (unsettled.beginning !== null) {
      const wait = await beginWait(turn.id, unsettled, unsettled.beginning);
      const now = clock();
      // The contact is gone, which the look at what the handshake stands on has just missed.
      if (wait === null) return finish(turn, version, advance(next, { type: "revoked", now }));
      const event: HandshakeEvent = { type: "begun", waitId: unsettled.beginning.waitId, nextCid: ids.id(), now };
      return finish(turn, version, advance({ ...next, wait }, event));
    }
    if (unsettled.resending !== null) {
      const wait =
        next.room === null
          ? await caller.call(resendWait, unsettled.resending)
          : next.wait && decoys.player.resend(next.wait);
      return say(turn, version, { ...next, wait: wait ?? next.wait }, withWait(next.standing, wait));
    }
    const results = await verify(turn, unsettled);
    const judged = judgedBy(unsettled.charges, unsettled.pending, results);
    await tolls.lift(judged);
    const event: HandshakeEvent = { type: "verified", results, nextCid: ids.id(), now: clock() };
    const moved = await endedBy(judged, { ...advance(withJudged(next, judged), event), judged });
    try {
      return await finish(turn, version, moved);
    } catch (error) {
      await keepVerified(turn, version, moved);
      throw error;
    }
  }

  /** Whoever was locked out by this very answer hears of it now: a push would meet the step that is still under way, and be lost. */
  async function endedBy(judged: NonNullable<Moved["judged"]>, moved: Moved): Promise<Moved> {
    const { next, failures } = moved;
    const locked = judged.wrong.filter(({ isLockout }) => isLockout).map(({ subject }) => subject);
    if (next.machine.verdict !== null || !locked.some((subject) => concerns(next, subject))) return moved;
    const hold = await tolls.holdOf(
      next,
      locked.flatMap((subject) => (subject.of === "gate" ? subject.gate : [])),
      true,
    );
    if (hold === null) return moved;
    return { ...advance({ ...next, hold }, { type: "held", now: clock() }), failures, judged };
  }

  /**
   * The next question could not be prepared. What was found of the answer stays: it is not kept itself, so that who comes back over another connection
   * could not have it looked at again, and a right one would have become a wrong one.
   */
  async function keepVerified({ id }: Turn, version: string, moved: Moved): Promise<void> {
    const { next, effects } = moved;
    const question = effects.find((effect) => effect.do === "challenge");
    if (question === undefined) return;
    const kept = { ...next, outcome: null, unasked: { retry: question.retry } };
    if ((await write(id, version, kept)) !== null) await tolls.conclude(next, moved);
  }

  /** The step's last write, which decides between those who take it at once. */
  async function finish(turn: Turn, version: string | null, moved: Moved): Promise<Outcome> {
    const { outcome, record } = await decide(turn, moved);
    const standing = outcome.say === "nothing" ? moved.next.standing : outcome;
    if ((await write(turn.id, version, { ...moved.next, outcome, standing })) !== null) {
      record();
      await tolls.conclude(moved.next, moved);
      return outcome;
    }
    // What the other one said stands, and a session registered here is nobody's.
    await discard(outcome);
    return resume(turn);
  }

  async function say(turn: Turn, version: string, next: Handshake, outcome: Outcome): Promise<Outcome> {
    const written = await write(turn.id, version, { ...next, outcome, standing: outcome });
    return written === null ? resume(turn) : outcome;
  }

  async function nothing(turn: Turn, version: string, taken: Handshake): Promise<Outcome> {
    const isOver = taken.machine.verdict !== null;
    // Pushed while this record was on its way: where it met one that was being taken it was lost, and whoever waits for it would wait in vain.
    if (taken.machine.verdict?.is === "deny" && taken.standing !== null)
      return say(turn, version, taken, taken.standing);
    const outcome: Outcome = { say: "nothing", deadlineMs: isOver ? clock() + crossingMs : deadlineOf(taken) };
    return (await write(turn.id, version, { ...taken, outcome })) === null ? resume(turn) : outcome;
  }

  async function resend(turn: Turn, version: string, taken: Handshake, cid: string): Promise<Outcome> {
    const { waiting, outstanding } = taken.machine;
    const isMeant = waiting !== null && outstanding?.cid === cid && clock() < waiting.byMs;
    if (!isMeant) return nothing(turn, version, taken);
    const next = { ...taken, resending: { waitId: waiting.id, ref: `${connectionOf(turn.hid)}-${turn.n}` } };
    return take(turn, version, { next, effects: [], failures: 0 });
  }

  function write(id: string, version: string | null, written: Handshake): Promise<string | null> {
    const { stepUp } = written;
    const next = stepUp === null ? written : { ...written, stepUp: { ...stepUp, said: stepUp.said + 1 } };
    const ttlMs = Math.max(0, deadlineOf(next) - clock()) + afterlifeMs;
    return version === null ? handshakes.create(id, next, ttlMs) : handshakes.replace(id, version, next, ttlMs);
  }

  async function decide(where: Where, { next, effects }: Moved): Promise<Decided> {
    for (const effect of effects) {
      if (effect.do === "accept") return accept(where.hid, next, effect);
      if (effect.do === "deny") return deny(next, effect.cause);
      if (effect.do === "challenge") return { outcome: await challenge(where, next, effect), record: () => undefined };
      if (effect.do === "wait") return { outcome: wait(next, effect), record: () => undefined };
    }
    return { outcome: { say: "nothing", deadlineMs: deadlineOf(next) }, record: () => undefined };
  }

  function deny(denied: Handshake, cause: DenyCause): Decided {
    const { startedAtMs, socketId, machine, hold } = denied;
    const isOpening = denied.n === 0 && denied.outcome === null && denied.standing === null;
    const outcome =
      denied.stepUp === null
        ? refusalOf({ policy: machine.policy, cause, isOpening, hold, startedAtMs, now: clock() })
        : denial;
    const record = () => {
      verdicts.denied(whoOf(denied), cause, clock() - startedAtMs);
      // What is played says nothing of how the socket's own people fare.
      if (denied.room === null) context.declines.denied(socketId, cause);
      if (cause === "not-recognised") void context.alerts.raise({ kind: "not-recognised", socketId, about: {} });
    };
    return { outcome, record };
  }

  async function accept(
    hid: string,
    handshake: Handshake,
    effect: Extract<Effect, { do: "accept" }>,
  ): Promise<Decided> {
    const gates = effect.passed.filter((gate, index, all) => all.indexOf(gate) === index);
    const { key, memberBound } = effect.assurance;
    const assurance = { key, memberBound, gates: [...effect.assurance.gates] };
    await tolls.forgive(handshake, gates);
    if (handshake.stepUp !== null) return steppedUp(handshake, handshake.stepUp, gates, assurance);
    const expiresAtMs = clock() + handshake.sessionMs;
    const admitted = await admitTo(hid, handshake, { gates, assurance, expiresAtMs });
    if (admitted === null) return deny(handshake, "revoked");
    const policyHash = new Uint8Array(Buffer.from(handshake.policyHash, "base64url"));
    const { room, socketId, startedAtMs, terms, machine } = handshake;
    const outcome = { say: "accepted" as const, admitted, gates, assurance, policyHash, history: terms.history };
    const imitated = machine.policy.onFailure.then === "decoy" ? { imitated: true as const } : {};
    if (room === null)
      return {
        outcome: { ...outcome, ...imitated },
        record: () => {
          verdicts.accepted(gates, clock() - startedAtMs);
          tolls.cameIn(handshake, { gates, memberBound });
          context.declines.accepted(socketId);
        },
      };
    return {
      outcome: { ...outcome, decoy: { of: socketId } },
      record: () => {
        verdicts.decoyed(gates, clock() - startedAtMs);
        decoys.note({ socketId, room }, "accepted");
      },
    };
  }

  function admitTo(hid: string, handshake: Handshake, as: Pick<Admission, "gates" | "assurance" | "expiresAtMs">) {
    const isLockedOut = async () => (await tolls.holdOf(handshake, as.gates, true)) !== null;
    return admit({ ...context, sessions: sessionsOf(handshake.room !== null) }, { hid, handshake, ...as }, isLockedOut);
  }

  /** Whoever writes it first has said it; the session itself is moved on behind that, by whoever finds it written. */
  function steppedUp(
    handshake: Handshake,
    { forMs }: NonNullable<Handshake["stepUp"]>,
    gates: string[],
    { memberBound, gates: bound }: { memberBound: boolean; gates: string[] },
  ): Decided {
    const atMs = clock();
    const untilMs = forMs === null ? null : atMs + forMs;
    return {
      outcome: { say: "stepped-up", gates, assurance: { memberBound, gates: bound }, atMs, untilMs },
      record: () => verdicts.steppedUp(whoOf(handshake), gates, atMs - handshake.startedAtMs),
    };
  }

  async function admitAgain(
    hid: string,
    handshake: Handshake,
    accepted: Extract<Outcome, { say: "accepted" }>,
  ): Promise<Outcome> {
    const { gates, assurance, admitted: before } = accepted;
    const sessions = sessionsOf(handshake.room !== null);
    if (clock() >= before.expiresAtMs || (await sessions.isOver(before.sid))) return denial;
    // They have heard that they were let in. Another session would not be asked what that one was, and has all its attempts: whoever came back again and
    // again would never have to answer.
    if (await sessions.wasAsked(before.sid)) return beginAnew;
    const admitted = await admitTo(hid, handshake, { gates, assurance, expiresAtMs: before.expiresAtMs });
    return admitted === null ? denial : { ...accepted, admitted };
  }

  async function discard(outcome: Outcome): Promise<void> {
    if (outcome.say !== "accepted") return;
    const sessions = sessionsOf(outcome.decoy !== undefined);
    const session = await sessions.get(outcome.admitted.sid);
    if (session === null || !(await sessions.remove(session, null))) return;
    void context.audit.note(session.socketId, endOf(session, "superseded"));
  }

  return { take, resume, resend, nothing, decide, admitAgain, discard, write, deadlineOf };
}

/** Whether it can come to nothing more where this is locked out. */
export function concerns({ machine }: Handshake, by: Subject): boolean {
  return by.of === "holder" || waitingGate(machine) === by.gate || standsOrFallsWith(machine, by.gate);
}

/** What stands, with what the wait has become. @param standing a wait: nothing else is asked to be sent again. */
export function withWait(standing: Outcome | null, wait: WaitView | null): Outcome {
  if (standing?.say !== "wait") throw new ServiceError("internal");
  if (wait === null) return { ...standing, status: "failed", resendAtMs: null };
  return { ...standing, ...wait };
}

/**
 * What an answer is called: `<step>-<index>-<connection>`. A replica that repeats the step calls it the same and finds the value that
 * belongs to it. Steps are counted anew on each connection, and of two answers with one name the second would count as wrong.
 */
export function refOf({ hid, n }: Pick<Turn, "hid" | "n">, index: number): string {
  return `${n}-${index}-${connectionOf(hid)}`;
}

/** The random part of its id. */
function connectionOf(hid: string): string {
  return hid.slice(-22);
}
