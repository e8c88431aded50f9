import { type Outcome, ServiceError } from "@portcullis/contracts";
import { type HandshakeEvent, type Policy, waitingGate } from "@portcullis/policy";
import { networkOf } from "@portcullis/runtime";
import { afterwards } from "../afterwards.ts";
import { type Hold, soonest } from "../penalties/penalties.ts";
import { tagOf } from "../secrets.ts";
import { createStepUps, type StepUpEngine } from "../step-ups/step-ups.ts";
import { type Claims, receive } from "./arrival.ts";
import { alarmOf, sound } from "./canaries.ts";
import { circumstancesOf } from "./circumstances.ts";
import type { EngineContext } from "./context.ts";
import { advance, beginHandshake, settled } from "./moves.ts";
import { mergeParameters } from "./parameters.ts";
import { bareDenial, denial, refusalOf } from "./refusal.ts";
import { resume } from "./resumption.ts";
import { createReturns } from "./returns.ts";
import { riskOf } from "./risk.ts";
import { stands } from "./standing.ts";
import { placeOf } from "./store.ts";
import type { Action, Taken } from "./taken.ts";
import { createTolling } from "./tolling.ts";
import type { Answer, Turn } from "./turn.ts";
import { createTurns, Overtaken, refOf } from "./turns.ts";
import { unjudged } from "./unjudged.ts";
import { whoOf } from "./verdicts.ts";
import { createWakes } from "./wakes.ts";

export interface Opening {
  /** Names the client's frame. */
  readonly opening: string;
  /** Transcript hash of the connection. */
  readonly transcript: Uint8Array;
  readonly claims: Claims;
  readonly answers: readonly Answer[];
}

const triesMax = 5;

/**
 * Runs the pure machine of `libs/policy` on the state port. A step in which nothing has to be asked is one write with its
 * outcome. Otherwise what came is consumed by a first write, then `factors` is asked, then the result and the outcome are a second
 * one. A step that is repeated, on this replica or another, ends in the same outcome: references are made from the step's number,
 * `factors` gives the same answer to the same reference, and the first writer wins.
 */
export interface Engine {
  open(hid: string, opening: Opening): Promise<Outcome>;
  /** @param id of the handshake: of the connection on which it began. */
  step(id: string, taken: Taken): Promise<Outcome>;
  /** A wait has changed. @throws {ServiceError} busy, unavailable: to be tried again. */
  wake(id: string, waitId: string): Promise<void>;
  /** The connection is gone. */
  left(hid: string, why: string): Promise<void>;
  readonly stepUps: StepUpEngine;
}

export function createEngine(context: EngineContext): Engine {
  const { handshakes, verdicts, clock, ids } = context;
  const tolls = createTolling(context, (concerned, by) => wakes.lockedOut(concerned, by));
  const turns = createTurns(context, tolls);
  const returns = createReturns(context, turns, tolls);
  const stepUps = createStepUps(context, turns, step);
  const wakes = createWakes(context, turns, tolls, stepUps.changed);

  async function open(hid: string, opening: Opening): Promise<Outcome> {
    const { transcript, claims, answers } = opening;
    const network = tagOf(context.networkKey, networkOf(claims.connection.address));
    const received = await receive(context, claims, { holder: `${hid}:${opening.opening}`, network, now: clock() });
    if ("turned" in received) {
      const { socketId, turned, counts } = received;
      verdicts.turned(socketId, turned);
      sound(context.alerts, alarmOf(claims, received, network));
      await context.guessing.failed(network, 1, socketId);
      if (counts !== null) afterwards(() => tolls.count(counts, `${hid}:${opening.opening}`).catch(uncounted));
      return bareDenial;
    }
    if ("held" in received) {
      const { held, policy, told, socketId } = received;
      verdicts.turned(socketId, "held");
      await context.guessing.failed(network, 1, socketId);
      return told ? heldAtOpening(policy, held) : bareDenial;
    }
    const { presented, standing, trusted } = received.arrival;
    if (presented.passed || presented.cause !== null) verdicts.gate("ticket", presented.passed, presented.cause);
    const here = { address: claims.connection.address, network };
    if (claims.resumed !== null) return resume(context, hid, claims.resumed, received.arrival, here);
    const given = tagOf(context.stepKey, JSON.stringify([hid, opening.opening, claims, answers]));
    if (claims.parked !== null)
      return returns.take(claims.parked, { hid, given, transcript, ...here }, received.arrival);
    const { planted, policy, socket, member } = received.arrival;
    if (planted !== null) {
      const found = { turned: planted, socketId: socket.id, memberId: member?.id ?? null };
      sound(context.alerts, alarmOf(claims, found, network));
    }
    const keyId = claims.key?.keyId ?? null;
    const way = await context.decoys.way({ arrival: received.arrival, keyId, network, standing });
    if (way === "refused") {
      verdicts.turned(socket.id, planted ?? "no-room");
      return bareDenial;
    }
    const risk = { of: async () => riskOf(standing.networkFailures) };
    const circumstances = await circumstancesOf(risk, here, received.arrival, policy);
    const first = {
      ...beginHandshake(received.arrival, claims, circumstances, { now: clock(), room: way.room }),
      given,
      network,
      ...placeOf(hid, transcript),
    };
    // There is nothing to answer for who comes by a ticket of the owner's.
    const offered = presented.role === "member" ? answers : [];
    const turn: Turn = { id: hid, hid, n: 0, given, transcript, cid: null, answers: offered };
    const moved = advance(first, { type: "opened", answers: named(turn), cid: ids.id(), now: clock() });
    const isHeld = moved.effects.some((effect) => effect.do === "deny" && effect.cause === "held");
    if (isHeld) {
      // Nothing is written of it: it costs what an unknown path costs.
      verdicts.turned(first.socketId, "held");
      if (!trusted) await context.guessing.failed(network, 1, first.socketId);
      return heldAtOpening(received.arrival.policy, soonest(standing.holds));
    }
    const outcome = await turns.take(turn, null, moved);
    if (!isOver(outcome)) await tolls.remember(hid, first);
    return outcome;
  }

  function uncounted(error: unknown): void {
    context.log.warn("a failure was not counted", {}, error);
  }

  /** A delay is told, a lockout is not. */
  function heldAtOpening(policy: Policy, hold: Hold): Outcome {
    const now = clock();
    return refusalOf({ policy, cause: "held", isOpening: true, hold, startedAtMs: now, now });
  }

  async function step(id: string, taken: Taken): Promise<Outcome> {
    for (let tries = 1; ; tries += 1) {
      try {
        return await tryStep(id, taken);
      } catch (error) {
        if (!(error instanceof Overtaken) || tries === triesMax) throw error;
      }
    }
  }

  async function tryStep(id: string, { hid, transcript, n, keyLive, action }: Taken): Promise<Outcome> {
    const found = await handshakes.get(id);
    // Gone by its deadline: whatever the client proved before, it starts anew.
    if (found === null) return denial;
    const { value, version } = found;
    if (value.connection !== hid) throw new ServiceError("conflict");
    const given = tagOf(context.stepKey, JSON.stringify([hid, n, action]));
    const turn: Turn = { id, hid, n, given, transcript, cid: cidOf(action), answers: answersOf(action) };
    if (n === value.n) return turns.resume(turn);
    // What is asked of a session is answered by records that are numbered with its messages.
    const isNext = value.stepUp === null ? n === value.n + 1 : n > value.n;
    if (!isNext || isOver(value.outcome)) throw new ServiceError("conflict");
    if (value.outcome === null) throw new ServiceError("busy");
    const stated = action.do === "offer" ? action.parameters : {};
    const parameters = mergeParameters(value.parameters, stated);
    const taken = { ...value, parameters, n, given, takenAtMs: clock(), outcome: null };
    // The verdict came from elsewhere and is on its way: this record crossed it.
    if (value.machine.verdict !== null) return turns.nothing(turn, version, taken);
    // Whoever was thrown out meanwhile is not asked on, and what they say is not even verified.
    if (!keyLive || !(await stands(context.store, value)))
      return turns.take(turn, version, advance(taken, { type: "revoked", now: clock() }));
    if (action.do === "start" || action.do === "resend") {
      const gate = action.do === "start" ? action.gate : waitingGate(value.machine);
      const hold = await tolls.holdOf(value, gate === null ? [] : [gate]);
      // Nobody is sent anything for them.
      if (hold !== null) return turns.take(turn, version, advance({ ...taken, hold }, { type: "held", now: clock() }));
    }
    if (action.do === "resend") return turns.resend(turn, version, taken, action.cid);
    return turns.take(turn, version, advance(taken, eventOf(turn, action)));
  }

  /** A verdict that came first stands. */
  async function left(hid: string, why: string): Promise<void> {
    // The client may be on its way to another edge.
    if (why === "lost") return;
    const id = await handshakes.idOf(hid);
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await handshakes.get(id);
      if (found === null || found.value.connection !== hid) return;
      const { value, version } = found;
      const { next, effects } = advance(value, { type: "left", now: clock() });
      const denied = effects.find((effect) => effect.do === "deny");
      if (denied === undefined) return;
      const ended = { ...settled(next), charges: [], outcome: denial, standing: denial };
      if ((await turns.write(id, version, ended)) === null) continue;
      verdicts.denied(whoOf(next), denied.cause, clock() - next.startedAtMs);
      // Whoever leaves while their answer is looked at never hears of it: leaving must not be a way to fail unseen.
      await tolls.conclude(ended, { failures: value.pending.length, ...unjudged(value) });
      return;
    }
  }

  function eventOf(turn: Turn, action: Exclude<Action, { do: "resend" }>): HandshakeEvent {
    const now = clock();
    switch (action.do) {
      case "answer": {
        const { answer, cid } = action;
        return { type: "answered", cid, gate: answer.gate, ...at(answer), ref: refOf(turn, 0), nextCid: ids.id(), now };
      }
      case "offer":
        return { type: "offered", answers: named(turn), now };
      case "start": {
        const { cid, gate } = action;
        return { type: "started", cid, gate, ...at(action), waitId: ids.id("wait"), nextCid: ids.id(), now };
      }
      case "cancel":
        return { type: "left", why: action.why, now };
    }
  }

  return { open, step, wake: wakes.wake, left, stepUps };
}

function isOver(outcome: Outcome | null): boolean {
  return outcome !== null && ["accepted", "stepped-up", "denied", "silent"].includes(outcome.say);
}

function answersOf(action: Action): readonly Answer[] {
  if (action.do === "answer") return [action.answer];
  return action.do === "offer" ? action.answers : [];
}

function cidOf(action: Action): string | null {
  return action.do === "answer" ? action.cid : null;
}

function named(turn: Turn) {
  return turn.answers.map((answer, index) => ({ ref: refOf(turn, index), gate: answer.gate, ...at(answer) }));
}

function at({ at: position }: { readonly at: string | null }): { at?: string } {
  return position === null ? {} : { at: position };
}
