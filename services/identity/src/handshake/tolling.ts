import { countedGates, hasPaid } from "@portcullis/policy";
import { present } from "../audit/audit.ts";
import { rulesOf } from "../penalties/ladder.ts";
import type { Answering, Charged, Hold } from "../penalties/penalties.ts";
import { createPending } from "../penalties/pending.ts";
import { idsOf, type Subject } from "../penalties/subjects.ts";
import type { EngineContext } from "./context.ts";
import type { Moved } from "./moves.ts";
import type { Handshake } from "./store.ts";

/** What the engine does about failing: charges answers, looks at what is held, and tells whom it concerns. */
export interface Tolling {
  /** What is about to be looked at. @returns the handshake with what it was charged, or with what stops it */
  charge(step: { readonly id: string; readonly hid: string; readonly n: number }, next: Handshake): Promise<Handshake>;
  /** Before the verdict: nobody is stopped by a hold that their own right answer wrote. Can be done again. */
  lift(judged: Moved["judged"]): Promise<void>;
  /** Of who has passed everything, before the last look at what is held: a guess in between must not lock out on the strength of what is forgiven. Can be done again. */
  forgive(handshake: Handshake, gates: readonly string[]): Promise<void>;
  /** Behind the write that decided: what failed stays, and is told. */
  conclude(next: Handshake, moved: Pick<Moved, "failures" | "judged">): Promise<void>;
  /** Others have failed for them, at a gate that waits. */
  countWait(next: Handshake, gate: string, waitId: string): Promise<void>;
  count(answering: Answering, event: string): Promise<void>;
  holdOf(handshake: Handshake, gates: readonly string[], lockouts?: boolean): Promise<Hold | null>;
  /** So that a lockout finds it. */
  remember(id: string, handshake: Handshake): Promise<void>;
  cameIn(handshake: Handshake, by: { readonly gates: readonly string[]; readonly memberBound: boolean }): void;
}

export function createTolling(
  context: EngineContext,
  lockedOut: (ids: readonly string[], by: Subject) => Promise<void>,
): Tolling {
  const { penalties, guessing, alerts, audit, log } = context;
  const pending = createPending(context.state);

  async function lockOut(subject: Subject, handshake: string | null): Promise<void> {
    const { socketId } = subject;
    const ids = { ...present({ handshake }), ...idsOf(subject) };
    await audit.note(socketId, { event: "held", cause: "lockout", ...ids });
    await alerts.raise({ kind: "lockout", socketId, about: ids });
    // Not waited for: how many others there are is nothing for whoever locked them out to learn from the time it takes.
    void tell(subject);
  }

  async function tell(subject: Subject): Promise<void> {
    try {
      await lockedOut(await pending.concernedBy(subject), subject);
    } catch (error) {
      // Each of them is stopped at its next step all the same.
      log.warn("handshakes could not be told of a lockout", { socket: subject.socketId }, error);
    }
  }

  async function count(answering: Answering, event: string, handshake: string | null = null): Promise<void> {
    for (const locked of await penalties.count(answering, event)) await lockOut(locked, handshake);
  }

  return {
    async charge(step, next) {
      if (next.counted.exempt) return { ...next, charges: [] };
      const gates = gatesOf(next.pending);
      if (gates.length === 0) {
        const hold = await penalties.holdOf(answeringOf(next, gates));
        return { ...next, charges: [], hold };
      }
      const paid = hasPaid(next.machine) && !next.counted.usedWork;
      const charging = await penalties.charge(answeringOf(next, gates), `${step.id}:${step.hid}:${step.n}`, paid);
      if (charging.held !== null) return { ...next, charges: [], hold: charging.held };
      return { ...next, charges: [...charging.charges] };
    },
    async lift(judged) {
      if (judged !== undefined) await penalties.lift(judged.right);
    },
    async forgive(handshake, gates) {
      // What is played forgives nobody real.
      if (handshake.room === null) await penalties.forgive(answeringOf(handshake, gatesOf(named(gates))));
    },
    async conclude(next, { failures, judged }) {
      if (!next.counted.exempt) await guessing.failed(next.network, failures, next.socketId);
      if (judged === undefined) return;
      await penalties.giveBack(judged.right);
      for (const { subject, version, isLockout } of judged.wrong) {
        if (isLockout) await lockOut(subject, next.connection);
        else if (version !== null) void audit.note(next.socketId, { event: "held", cause: "delay", ...idsOf(subject) });
      }
    },
    async countWait(next, gate, waitId) {
      if (!next.counted.exempt) await count(answeringOf(next, gatesOf([{ gate }])), waitId, next.connection);
    },
    count: (answering, event) => count(answering, event),
    async holdOf(handshake, gates, lockouts) {
      if (handshake.counted.exempt) return null;
      return penalties.holdOf(answeringOf(handshake, gatesOf(named(gates))), lockouts);
    },
    async remember(id, handshake) {
      const { machine, counted } = handshake;
      if (machine.policy.onFailure.lockout === null || counted.exempt) return;
      await pending.add(id, answeringOf(handshake, []), machine.deadlineMs);
    },
    cameIn(handshake, { gates, memberBound }) {
      // A key and a name have all who have that key: by these alone nobody is at home anywhere.
      if (!memberBound && gatesOf(named(gates)).length === 0) return;
      penalties.cameIn(answeringOf(handshake, []).who).catch((error: unknown) => {
        log.warn("it could not be noted from where a member came in", { socket: handshake.socketId }, error);
      });
    },
  };
}

/** A proof of work buys one answer that is wrong. Of one that was right it buys the next: otherwise it would never lead through two gates. */
export function withJudged(handshake: Handshake, { wrong }: NonNullable<Moved["judged"]>): Handshake {
  const usedWork = handshake.counted.usedWork || wrong.some(({ paid }) => paid);
  return { ...handshake, charges: [], counted: { ...handshake.counted, usedWork } };
}

/** What was charged, by whether everything that it was charged for was right. */
export function judgedBy(
  charges: readonly Charged[],
  items: Handshake["pending"],
  results: readonly { readonly ref: string; readonly ok: boolean }[],
): NonNullable<Moved["judged"]> {
  const wrongRefs = new Set(results.flatMap(({ ref, ok }) => (ok ? [] : [ref])));
  const wrongGates = new Set(items.flatMap(({ ref, gate }) => (wrongRefs.has(ref) ? [gate] : [])));
  const counted = new Set(gatesOf(named([...wrongGates])));
  const isWrong = ({ subject }: Charged) => (subject.of === "gate" ? counted.has(subject.gate) : counted.size > 0);
  return { right: charges.filter((each) => !isWrong(each)), wrong: charges.filter(isWrong) };
}

function named(gates: readonly string[]): { readonly gate: string }[] {
  return gates.map((gate) => ({ gate }));
}

function gatesOf(items: readonly { readonly gate: string }[]): string[] {
  const counted: readonly string[] = countedGates;
  return [...new Set(items.map(({ gate }) => gate))].filter((gate) => counted.includes(gate));
}

function answeringOf({ network, socketId, keyId, memberId, counted, machine }: Handshake, gates: string[]): Answering {
  const who = { network, socketId, keyId, memberId };
  return { who, known: counted.known, rules: rulesOf(machine.policy), gates };
}
