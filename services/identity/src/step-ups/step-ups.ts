import { nudgeStepUp, type Outcome, ServiceError, type StepUpSaid } from "@portcullis/contracts";
import { parseHandshakeId } from "@portcullis/protocol";
import type { EngineContext } from "../handshake/context.ts";
import { advance, isLookedAt, settled } from "../handshake/moves.ts";
import { denial } from "../handshake/refusal.ts";
import { stands } from "../handshake/standing.ts";
import { type Handshake, placeOf, whereOf } from "../handshake/store.ts";
import type { Action, Taken } from "../handshake/taken.ts";
import type { Turns } from "../handshake/turns.ts";
import { asWrong, strandedAfterMs } from "../handshake/unjudged.ts";
import type { Session } from "../sessions/session.ts";
import { stepUpHandshake } from "./begin.ts";
import { classRule, clockOf, dueRule, withBegun, withPassed } from "./progress.ts";

export interface Asking {
  readonly sid: string;
  /** Of the connection. */
  readonly hid: string;
  readonly transcript: Uint8Array;
  /** False: the app key was revoked since. */
  readonly keyLive: boolean;
}

export interface StepUpEngine {
  /** What stands; begins what is due, and what a message of this class waits for. */
  ask(asking: Asking & { readonly class: string | null }): Promise<StepUpSaid>;
  /** What the client says to it. */
  take(asking: Asking & { readonly n: number; readonly action: Exclude<Action, { do: "offer" }> }): Promise<StepUpSaid>;
  /** @returns whether the client could be asked at once. @throws {ServiceError} not_found, conflict */
  demand(demanded: { readonly socketId: string; readonly sid: string; readonly rule: number | null }): Promise<boolean>;
  /** Something was written that the client did not ask for. */
  changed(value: Handshake): Promise<void>;
}

const triesMax = 5;
/** More than is ever written of one step-up. */
const saidMax = 2 ** 24;
const silence: Outcome = { say: "nothing", deadlineMs: 0 };

/**
 * What a session is asked while it lives: the same machine, turns and waits as before it, under an id of its own. The session's entry says which
 * one stands, so that one is begun by one; what it led to is written with the handshake first and into the entry behind it, by everybody who
 * finds it so. Passed is passed once; and where nobody finds it, the entry ends by itself.
 */
export function createStepUps(
  context: EngineContext,
  turns: Turns,
  step: (id: string, taken: Taken) => Promise<Outcome>,
): StepUpEngine {
  const { handshakes, sessions, revocation, caller, clock, ids, store, log } = context;

  /** @throws {ServiceError} conflict: it is over, or on another connection, or nothing is asked of it */
  async function sessionOf({ sid, hid }: Asking): Promise<Session> {
    const session = await sessions.get(sid);
    if (session === null || session.hid !== hid || session.terms.during === null) throw new ServiceError("conflict");
    return session;
  }

  async function ask(asking: Asking & { readonly class: string | null }): Promise<StepUpSaid> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const session = await sessionOf(asking);
      const { current } = session.stepUps;
      if (current?.isOpen === true) {
        if (await bringHere(session, current.id, asking)) return say(asking, current.id);
        continue;
      }
      if (asking.class !== null && classRule(session, asking.class) === null) throw new ServiceError("conflict");
      const rule = dueRule(session, asking.class, clock());
      // The last one once more: where it was passed by somebody else than the client, this is how the client hears of it.
      if (rule === null) return say(asking, current?.id ?? null);
      await begin(session, rule, asking.transcript);
    }
    throw new ServiceError("busy");
  }

  /** Of several that begin one at once, one is the one; what the others wrote is nobody's and forgotten with its deadline. */
  async function begin(session: Session, rule: number, transcript: Uint8Array): Promise<void> {
    const id = `stepup.${ids.id()}`;
    const first = await stepUpHandshake(context, session, rule, { id, transcript });
    const moved = advance(first, { type: "opened", answers: [], cid: ids.id(), now: clock() });
    const { outcome, record } = await turns.decide(whereOf(first), moved);
    await turns.write(id, null, { ...moved.next, outcome, standing: outcome });
    await sessions.noteAsked(session.sid);
    const { begun } = session.stepUps;
    const byMs = first.machine.deadlineMs;
    const changed = await sessions.change(session.sid, (now) =>
      now.hid === session.hid && now.stepUps.begun === begun ? withBegun(now, { id, rule, byMs }) : null,
    );
    if (changed?.changed === true) record();
  }

  /**
   * Brings what stands onto this connection, and to its end where its time has come.
   * @returns false where somebody else wrote meanwhile
   */
  async function bringHere(session: Session, id: string, { hid, transcript, keyLive }: Asking): Promise<boolean> {
    const found = await handshakes.get(id);
    if (found === null) {
      await putOut(session);
      return true;
    }
    const { value, version } = found;
    if (value.machine.verdict !== null) return true;
    const now = clock();
    const isHere = value.connection === hid;
    const isStranded = value.outcome === null;
    const here = isHere ? value : { ...value, ...placeOf(hid, transcript), n: 0, given: "", takenAtMs: now };
    const isLate = now >= turns.deadlineOf(value);
    if (isLate || !keyLive || !(await stands(store, value))) {
      const { next } = advance(settled(here), { type: isLate ? "expired" : "revoked", now });
      return (await turns.write(id, version, { ...next, outcome: denial, standing: denial })) !== null;
    }
    // What could not be asked on this very connection is to be asked now, too.
    if (isHere && value.unasked === null) return true;
    if (!isStranded) return (await turns.write(id, version, here)) !== null;
    // The answer went with the connection on which it came. It counts as wrong, but not before whoever looks at it has had their time.
    if (isLookedAt(value) && now - value.takenAtMs < strandedAfterMs) throw new ServiceError("busy");
    const { pending } = value;
    const turn = { id, hid, n: here.n, given: here.given, transcript, cid: null, answers: [] };
    const moved =
      pending.length === 0
        ? { next: here, effects: [], failures: 0 }
        : advance({ ...here, pending: [] }, { type: "verified", results: asWrong(value), nextCid: ids.id(), now });
    await turns.take(turn, version, moved);
    return true;
  }

  async function take(asking: Parameters<StepUpEngine["take"]>[0]): Promise<StepUpSaid> {
    const { hid, transcript, n, keyLive, action } = asking;
    const { current } = (await sessionOf(asking)).stepUps;
    // Passed, and this crossed that; or nobody has asked.
    if (current === null || !current.isOpen) return say(asking, current?.id ?? null);
    const found = await handshakes.get(current.id);
    if (found !== null && isHandedOnAgain(found.value, asking)) return say(asking, current.id);
    await step(current.id, { hid, transcript, n, keyLive, action });
    return say(asking, current.id);
  }

  /**
   * An edge that had no answer hands on again all that it had handed on together. What of it was taken is no guess at what stands now: neither where
   * another record was taken behind it, nor where it was for the step-up before, which it passed. (The very last is known by its number.)
   */
  function isHandedOnAgain({ connection, n, machine }: Handshake, taken: Parameters<StepUpEngine["take"]>[0]): boolean {
    if (connection === taken.hid && taken.n < n) return true;
    return "cid" in taken.action && !machine.cids.includes(taken.action.cid);
  }

  /** What stands now, and not what was answered to some record: whatever overtakes it has a larger number. @param id null: there was none yet */
  async function say({ sid }: Asking, id: string | null): Promise<StepUpSaid> {
    const value = id === null ? null : ((await handshakes.get(id))?.value ?? null);
    if (value !== null) await conclude(value);
    const session = await sessions.get(sid);
    if (session === null) return { outcome: denial, n: 1, clock: { askAtMs: 0, endAtMs: 0 } };
    const isOver = value?.machine.verdict !== null;
    // While somebody looks at an answer there is nothing to say, and they will say it.
    if (value === null || value.standing === null || (value.outcome === null && !isOver))
      return { outcome: silence, n: 0, clock: clockOf(session, value === null ? 0 : turns.deadlineOf(value)) };
    const untilMs = isOver ? 0 : turns.deadlineOf(value);
    const n = session.stepUps.begun * saidMax + Math.min(value.stepUp?.said ?? 0, saidMax - 1);
    return { outcome: value.standing, n, clock: clockOf(session, untilMs) };
  }

  /** Idempotent: the entry says whether it was done. */
  async function conclude({ machine, standing, stepUp, enrolments }: Handshake): Promise<void> {
    if (machine.verdict === null || stepUp === null) return;
    const { id, sid, rule } = stepUp;
    const session = await sessions.get(sid);
    if (session === null || session.stepUps.current?.id !== id || !session.stepUps.current.isOpen) return;
    if (machine.verdict.is === "deny" || standing?.say !== "stepped-up") return putOut(session);
    const { atMs, untilMs, assurance } = standing;
    const passed = { rule, atMs, untilMs, enrolments, ...assurance };
    const isMine = (now: Session) => now.stepUps.current?.id === id && now.stepUps.current.isOpen;
    await sessions.change(sid, (now) => (isMine(now) ? withPassed(now, passed) : null));
  }

  async function putOut({ sid, socketId }: Session): Promise<void> {
    await revocation.revokeOne({ socketId, sid }, "step-up");
  }

  async function demand({ socketId, sid, rule: wanted }: Parameters<StepUpEngine["demand"]>[0]): Promise<boolean> {
    const found = await sessions.get(sid);
    if (found === null || found.socketId !== socketId) throw new ServiceError("not_found");
    const rules = found.terms.during?.rules ?? [];
    const rule = wanted ?? rules.findIndex(({ on }) => on === "demand");
    if (rules[rule]?.on !== "demand") {
      const message =
        wanted === null
          ? "is missing: the session's policy asks for nothing on demand"
          : "is no rule of the session's policy that asks on demand";
      throw new ServiceError("invalid", { issues: [{ path: "rule", message }] });
    }
    const now = clock();
    await sessions.noteAsked(sid);
    const stillStands = (session: Session) => session.stepUps.atMs[rule] !== null;
    const changed = await sessions.change(sid, (session) => {
      if (stillStands(session)) return null;
      const atMs = session.stepUps.atMs.map((each, index) => (index === rule ? now : each));
      return { ...session, stepUps: { ...session.stepUps, atMs } };
    });
    if (changed === null) throw new ServiceError("not_found");
    return nudge(sid, changed.before.hid);
  }

  async function changed(value: Handshake): Promise<void> {
    await conclude(value);
    if (value.stepUp !== null) await nudge(value.stepUp.sid, value.connection);
  }

  /** Whoever is not there asks when they come; and where this is lost, the session ends at its time. */
  async function nudge(sid: string, hid: string): Promise<boolean> {
    try {
      const { edgeId } = parseHandshakeId(hid);
      return (await caller.call(nudgeStepUp, { sid, hid }, { route: edgeId })).taken;
    } catch {
      log.warn("an edge could not be told that a session is asked for more", { sid });
      return false;
    }
  }

  return { ask, take, demand, changed };
}
