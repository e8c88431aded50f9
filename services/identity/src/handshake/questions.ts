import {
  type Outcome,
  prepareFactors,
  ServiceError,
  startWait,
  verifyFactors,
  type WaitView,
} from "@portcullis/contracts";
import { deadlineMs, type Effect, isMemberProven, isPrepared, type PlacedGate, promptOf } from "@portcullis/policy";
import { judgePlayed } from "../decoy/judge.ts";
import { contactOf } from "../sockets/members.ts";
import type { EngineContext } from "./context.ts";
import type { Handshake } from "./store.ts";
import type { Turn, Where } from "./turn.ts";

/** What is asked of `factors` for a handshake, and of its client. In one that is played nobody real is asked. */
export function createQuestions(context: EngineContext) {
  const { verdicts, caller, clock, decoys } = context;

  /** @throws {ServiceError} unavailable: no verdict without an answer to each question. */
  async function verify({ hid, transcript, cid, answers }: Turn, handshake: Handshake) {
    const { socketId, memberId, member, network, pending } = handshake;
    const items = pending.map(({ at: _, ...item }) => ({ ...item, value: answers[indexOf(item.ref)]?.value ?? "" }));
    const ask = async (asked: typeof items) => {
      const who = { hid: askedAs(handshake, hid), socketId, memberId, member, transcript, network, cid };
      return (await caller.call(verifyFactors, { ...who, items: asked })).results;
    };
    const results = handshake.room === null ? await ask(items) : await judgePlayed(decoys, handshake, items, ask);
    return items.map(({ ref, gate }) => {
      const [result, ...more] = results.filter((each) => each.ref === ref);
      if (result === undefined || more.length > 0) throw new ServiceError("unavailable");
      verdicts.gate(gate, result.ok, result.cause);
      return { ref, ok: result.ok };
    });
  }

  async function beginWait(
    id: string,
    { socketId, room, memberId, member: name, label, enrolments, network }: Handshake,
    { waitId, gate, config, byMs }: NonNullable<Handshake["beginning"]>,
  ): Promise<WaitView | null> {
    const asked = { waitId, handshake: id, socketId, gate, config, member: name, label, untilMs: byMs, network };
    if (room !== null) return decoys.player.begin({ socketId, memberId }, gate);
    const enrolment = enrolments.find((each) => each.gate === gate && each.of === "member");
    if (enrolment === undefined) {
      const view = await caller.call(startWait, { ...asked, enrolmentId: null, to: null });
      await context.announce({ waitId, socketId, config, untilMs: byMs, view });
      return view;
    }
    const member = memberId === null ? null : await context.store.members.get(memberId);
    const to = member === null ? null : contactOf(context, member, gate);
    if (to === null || member?.body.enrolments[gate] !== enrolment.id) return null;
    return caller.call(startWait, { ...asked, enrolmentId: enrolment.id, to });
  }

  async function challenge(
    where: Where,
    next: Handshake,
    { cid, options, attemptsLeft, answerByMs, retry }: Extract<Effect, { do: "challenge" }>,
  ): Promise<Outcome> {
    const prepared = await prepare(where, next, cid, options);
    const offered = options.flatMap(({ at, gate, config }) => {
      if (!isPrepared({ gate, config })) return [{ at, gate, prompt: copyOf(promptOf(gate, config, cid)) }];
      const prompt = prepared.get(at);
      return prompt === undefined ? [] : [{ at, gate, prompt }];
    });
    // The only way on cannot be asked for now: the client comes back, and nothing has been counted.
    if (offered.length === 0) throw new ServiceError("unavailable");
    return { say: "challenge", cid, options: offered, attemptsLeft, answerByMs, retry, deadlineMs: deadlineOf(next) };
  }

  /** By position; what cannot be asked now is not there. */
  async function prepare(
    { hid: connection, transcript }: Where,
    handshake: Handshake,
    cid: string,
    options: readonly PlacedGate[],
  ): Promise<ReadonlyMap<string, Record<string, unknown>>> {
    const { socketId, memberId, member, network, machine } = handshake;
    const hid = askedAs(handshake, connection);
    const items = options.filter(isPrepared).map(({ at, gate, config }) => ({ at, gate, config: { ...config } }));
    if (items.length === 0) return new Map();
    const proven = { key: machine.keyId !== null, memberBound: isMemberProven(machine, machine.passed) };
    const asked = { hid, socketId, memberId, member, transcript, network, proven, cid, items };
    const { prompts } = await caller.call(prepareFactors, asked);
    if (prompts.length !== items.length) throw new ServiceError("unavailable");
    return new Map(
      items.flatMap(({ at }, index) => {
        const prompt = prompts[index] ?? null;
        return prompt === null ? [] : [[at, prompt] as const];
      }),
    );
  }

  function wait(next: Handshake, effect: Extract<Effect, { do: "wait" }>): Outcome {
    const { at, gate, cid, attemptsLeft, answerByMs, retry } = effect;
    if (next.wait === null) throw new ServiceError("internal");
    return { say: "wait", at, gate, ...next.wait, cid, attemptsLeft, answerByMs, retry, deadlineMs: deadlineOf(next) };
  }

  function deadlineOf(handshake: Handshake): number {
    return deadlineMs(handshake.machine) ?? clock();
  }

  return { verify, beginWait, challenge, wait, deadlineOf };
}

/**
 * As what `factors` knows whoever asks. A step-up has a name of its own: under the connection's, what was once right for the handshake that
 * was on it would be right again.
 */
function askedAs({ stepUp }: Handshake, hid: string): string {
  return stepUp?.id ?? hid;
}

function copyOf(prompt: ReturnType<typeof promptOf>): Record<string, unknown> | null {
  return prompt === null ? null : { ...prompt };
}

function indexOf(ref: string): number {
  return Number(ref.split("-", 2)[1]);
}
