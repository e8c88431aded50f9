import { type Outcome, ServiceError } from "@portcullis/contracts";
import { type HandshakeEvent, staysOnItsWay } from "@portcullis/policy";
import { toText } from "../secrets.ts";
import { displace } from "../sessions/displace.ts";
import type { Arrival } from "./arrival.ts";
import { circumstancesOf, type Whereabouts } from "./circumstances.ts";
import type { EngineContext } from "./context.ts";
import { advance, isLookedAt, settled } from "./moves.ts";
import { bareDenial, beginAnew, denial } from "./refusal.ts";
import { stands } from "./standing.ts";
import { type Handshake, placeOf } from "./store.ts";
import { type Tolling, withJudged } from "./tolling.ts";
import type { Turn } from "./turn.ts";
import type { Turns } from "./turns.ts";
import { asWrong, strandedAfterMs, unjudged } from "./unjudged.ts";

/** The connection on which a handshake goes on. */
export interface Comeback extends Whereabouts {
  readonly hid: string;
  /** HMAC of everything that came with it. */
  readonly given: string;
  readonly transcript: Uint8Array;
}

const triesMax = 4;

/**
 * A client that lost its connection comes back to the same gate. It is told what stands; nothing is sent to anybody a second time,
 * and the connection before counts no more: at most one goes on.
 */
export function createReturns(context: EngineContext, turns: Turns, tolls: Pick<Tolling, "conclude">) {
  const { handshakes, verdicts, clock, ids } = context;

  async function take(id: string, comeback: Comeback, arrival: Arrival): Promise<Outcome> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await handshakes.get(id);
      if (found === null || !isSame(found.value, arrival)) {
        verdicts.turned(arrival.socket.id, "not-parked");
        return bareDenial;
      }
      const { value, version } = found;
      if (value.connection === comeback.hid) return value.given === comeback.given ? standingOf(value) : conflict();
      const outcome = await moveOver(id, value, version, comeback, arrival);
      if (outcome !== null) return outcome;
    }
    throw new ServiceError("busy");
  }

  /** @returns null where somebody else has written meanwhile. */
  async function moveOver(
    id: string,
    value: Handshake,
    version: string,
    comeback: Comeback,
    arrival: Arrival,
  ): Promise<Outcome | null> {
    const { hid, given, transcript } = comeback;
    const now = clock();
    const isStranded = value.outcome === null;
    if (isLookedAt(value) && now - value.takenAtMs < strandedAfterMs) throw new ServiceError("busy");
    await handshakes.follow(hid, id, Math.max(1, turns.deadlineOf(value) - now) + 60_000);
    const here: Handshake = { ...value, ...placeOf(hid, transcript), given, n: 0, pushes: 0, takenAtMs: now };

    // Nothing more is said to them, whatever has become of what they came in by.
    if (value.standing?.say === "silent") return write(id, version, here, value.standing);
    const isLate = value.machine.verdict === null && now >= turns.deadlineOf(value);
    const isElsewhere = !isLate && !(await isOnItsWay(value, comeback, arrival));
    // A handshake keeps the policy that it began with. Who was let in by it has a session, and no session goes on under a policy that is another one.
    const isOutdated = value.machine.verdict?.is === "accept" && value.policyHash !== toText(arrival.policyHash);
    if (isLate || isElsewhere || isOutdated || !(await stands(context.store, value))) {
      if (isElsewhere || isOutdated) verdicts.turned(arrival.socket.id, isElsewhere ? "other-branch" : "not-resumable");
      const { next } = advance(settled({ ...here, charges: [] }), { type: isLate ? "expired" : "revoked", now });
      const outcome = await write(id, version, next, isLate || isElsewhere || isOutdated ? beginAnew : denial);
      if (outcome !== null) await tolls.conclude(next, { failures: 0, ...unjudged(value) });
      return outcome;
    }
    if (isStranded) return settleStranded({ id, hid, n: 0, given, transcript, cid: null, answers: [] }, version, here);
    if (value.standing?.say !== "accepted") return write(id, version, here, standingOf(value));
    // Let in, and never heard of it: the session that nobody is on gives way to one that somebody is on. Should somebody be on it after all,
    // they are not any more.
    await turns.discard(value.standing);
    const again = await turns.admitAgain(hid, here, value.standing);
    const outcome = await write(id, version, here, again);
    if (outcome === null) await turns.discard(again);
    else displace(context, value.connection);
    return outcome;
  }

  /**
   * Whether the gates are those that would be asked for from here. By the clock at which it began: it has its gates for its short life. Whoever was denied
   * is told so wherever they are.
   */
  async function isOnItsWay(
    { machine, startedAtMs }: Handshake,
    comeback: Comeback,
    arrival: Arrival,
  ): Promise<boolean> {
    if (machine.verdict?.is === "deny") return true;
    const { policy, branches } = machine;
    const circumstances = await circumstancesOf(context.risk, comeback, arrival, policy);
    return staysOnItsWay(policy.gates, branches, circumstances, startedAtMs);
  }

  /** What was asked for is asked again; what was answered went with whoever looked at it, and counts as wrong. */
  async function settleStranded(turn: Turn, version: string, here: Handshake): Promise<Outcome | null> {
    if (here.pending.length === 0) return turns.take(turn, version, { next: here, effects: [], failures: 0 });
    const event: HandshakeEvent = { type: "verified", results: asWrong(here), nextCid: ids.id(), now: clock() };
    const { judged } = unjudged(here);
    const left = { ...here, pending: [] };
    const moved = advance(judged === undefined ? left : withJudged(left, judged), event);
    return turns.take(turn, version, { ...moved, ...(judged === undefined ? {} : { judged }) });
  }

  async function write(id: string, version: string, next: Handshake, outcome: Outcome): Promise<Outcome | null> {
    const written = await turns.write(id, version, { ...next, outcome, standing: outcome });
    return written === null ? null : outcome;
  }

  return { take };
}

/** Whoever has the secret of a handshake still goes nowhere with it but where it was. */
function isSame({ socketId, memberId }: Handshake, { socket, member }: Arrival): boolean {
  return socketId === socket.id && memberId === (member?.id ?? null);
}

function standingOf({ standing, outcome }: Handshake): Outcome {
  const said = standing ?? outcome;
  if (said === null) throw new ServiceError("busy");
  return said;
}

function conflict(): never {
  throw new ServiceError("conflict");
}
