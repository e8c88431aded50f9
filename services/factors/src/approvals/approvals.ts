import { randomInt } from "node:crypto";
import {
  type ApprovalDecision,
  type ApprovalState,
  pendingMax,
  ServiceError,
  type WaitFate,
  type WaitView,
} from "@portcullis/contracts";
import type { Clock, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { viewOf, type Wait, type WaitStore } from "../waits/record.ts";
import { isEqual } from "../waits/secrets.ts";
import type { Waker } from "../waits/waker.ts";
import type { AskLimits } from "./limits.ts";

export interface ApprovalsContext {
  readonly store: WaitStore;
  readonly state: State;
  readonly limits: AskLimits;
  readonly waker: Waker;
  readonly clock: Clock;
  readonly log: Pick<Logger, "info">;
  /** Told of every decision. */
  readonly onDecision: (state: ApprovalState) => void;
}

export interface NewApproval {
  readonly waitId: string;
  readonly handshake: string;
  readonly socketId: string;
  readonly gate: string;
  readonly member: string | null;
  readonly label: string;
  readonly untilMs: number;
  readonly network: string;
  readonly quorum: number;
}

export interface Pending {
  readonly waitId: string;
  readonly handshake: string;
  readonly fate: WaitFate;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly needed: number;
  readonly given: string[];
}

export interface Decision {
  readonly socketId: string;
  readonly waitId: string;
  /** Who decides, and everybody who may: see the contracts. */
  readonly grant: string;
  readonly entitled: readonly string[];
  readonly decision: ApprovalDecision;
}

export interface Decided {
  readonly state: ApprovalState;
  readonly given: number;
  readonly needed: number;
}

export interface Approvals {
  /** Once for each id. Who asks too often waits for nothing, and is told so. */
  start(approval: NewApproval): Promise<WaitView>;
  /** Those of a socket that can be decided; or that one, decided or not. */
  list(socketId: string, waitId: string | null): Promise<Pending[]>;
  decide(decision: Decision): Promise<Decided>;
  withdraw(socketId: string, grant: string): Promise<void>;
}

type OfPeople = Wait & { readonly approval: NonNullable<Wait["approval"]> };

/** Wrong numbers of one wait, whoever types them: a guess is one in 900, and three of them are all there are. */
const wrongMax = 3;
/** Longer than any wait lasts, and than any request is under way. */
const withdrawnMs = 30 * 60_000;
/** More than there are changes of one wait. */
const writesMax = 24;

/**
 * Every approval, wrong number and refusal is one compare-and-set of the wait: of any number of them at once, on whichever replica, each
 * is counted once and one makes the verdict; no guess is answered before it is counted.
 */
export function createApprovals(context: ApprovalsContext): Approvals {
  const { store, state, limits, waker, clock, log, onDecision } = context;
  const pendingKey = (socketId: string) => `factors.approvals.${socketId}`;
  const withdrawnKey = (socketId: string) => `factors.approvals-withdrawn.${socketId}`;
  const gone: Decided = { state: "gone", given: 0, needed: 0 };

  /** @returns null for one that nobody can decide: of another socket, over, or refused by a limit. */
  async function find(socketId: string, waitId: string): Promise<{ wait: OfPeople; version: string } | null> {
    const stored = await store.get(waitId);
    if (stored === null || !isOfPeople(stored.wait) || stored.wait.socketId !== socketId) return null;
    if (clock() >= stored.wait.untilMs || stored.wait.status === "refused") return null;
    return { wait: stored.wait, version: stored.version };
  }

  /** What is written was not written by somebody else meanwhile; else everything is looked at again. */
  async function settle<T>(step: () => Promise<{ readonly result: T } | null>): Promise<T> {
    for (let tries = 0; tries < writesMax; tries += 1) {
      const done = await step();
      if (done !== null) return done.result;
    }
    throw new ServiceError("busy");
  }

  async function isAdmitted({ waitId, socketId, member, network, untilMs }: NewApproval): Promise<boolean> {
    const key = pendingKey(socketId);
    const others = (await state.members(key)).filter((each) => each !== waitId);
    if (others.length >= pendingMax || !(await limits.ask({ socketId, member, network }, waitId))) return false;
    // Before the wait is written: who dies in between is followed by somebody who writes it. And before it is counted: of many at once no more are let on the
    // list than may be on it.
    await state.join(key, waitId, untilMs);
    return (await state.members(key)).length <= pendingMax;
  }

  async function decideOnce({ socketId, waitId, grant, entitled, decision }: Decision) {
    const found = await find(socketId, waitId);
    if (found === null) return { result: gone };
    const { wait, version } = found;
    // Read behind the wait: who takes a grant away writes the wait behind it, so that one of the two sees the other.
    const withdrawn = new Set(await state.members(withdrawnKey(socketId)));
    const counts = (each: string) => entitled.includes(each) && !withdrawn.has(each);
    if (!counts(grant)) return { result: gone };
    const { needed } = wait.approval;
    const given = wait.approval.given.filter(counts);
    const isRight = decision.say === "approve" && isEqual(wait.number ?? "", decision.number);
    const next = after(wait, grant, given, decision.say, isRight);
    if (next === "same") return { result: { state: stateOf(wait, isRight), given: given.length, needed } };
    if (next === null) return { result: gone };
    if (!(await store.replace(waitId, version, next))) return null;
    return {
      result: { state: stateOf(next, decision.say === "refuse" || isRight), given: next.approval.given.length, needed },
    };
  }

  async function follow({ socketId, waitId, grant }: Decision, { state: became }: Decided): Promise<void> {
    if (became === "gone") return;
    log.info("an approval was decided", { wait: waitId, socket: socketId, grant, state: became });
    onDecision(became);
    if (became === "wrong") return;
    const stored = await store.get(waitId);
    if (stored === null || !isOfPeople(stored.wait)) return;
    const { wait } = stored;
    if (wait.fate !== "open") await state.leave(pendingKey(socketId), waitId);
    if (wait.fate === "confirmed")
      await limits.approved({ socketId, member: wait.member, network: wait.approval.network });
    // Also where nothing changed: whoever decided may have died before anybody heard of it.
    await waker.wake(waitId, wait.handshake);
  }

  return {
    async start(approval) {
      const { waitId, quorum, network, ...rest } = approval;
      if ((await store.get(waitId)) === null) {
        const isAsked = await isAdmitted(approval);
        if (!isAsked) log.info("too many ask to be let in", { socket: rest.socketId });
        await store.create(waitId, {
          ...rest,
          enrolmentId: null,
          channel: null,
          to: null,
          by: "approval",
          number: `${randomInt(100, 1_000)}`,
          status: isAsked ? "sent" : "refused",
          resendAtMs: null,
          sendings: [],
          fate: "open",
          approval: { needed: quorum, given: [], wrong: 0, sinceMs: clock(), network },
        });
      }
      const stored = await store.get(waitId);
      if (stored === null) throw new Error("a wait vanished while it began");
      // By what is written: another replica may have begun the same wait, and come to the other result.
      if (stored.wait.status === "refused") await state.leave(pendingKey(approval.socketId), waitId);
      return viewOf(stored.wait);
    },

    async list(socketId, only) {
      const ids = only === null ? await state.members(pendingKey(socketId)) : [only];
      const found = await Promise.all(
        ids.slice(0, pendingMax).map(async (waitId) => ({ waitId, found: await find(socketId, waitId) })),
      );
      return found
        .flatMap(({ waitId, found }) => {
          if (found === null || (only === null && found.wait.fate !== "open")) return [];
          const { handshake, fate, untilMs, approval } = found.wait;
          const { sinceMs, needed, given } = approval;
          return [{ waitId, handshake, fate, sinceMs, untilMs, needed, given }];
        })
        .toSorted((a, b) => a.sinceMs - b.sinceMs);
    },

    async decide(decision) {
      const decided = await settle(() => decideOnce(decision));
      await follow(decision, decided);
      return decided;
    },

    async withdraw(socketId, grant) {
      await state.join(withdrawnKey(socketId), grant, clock() + withdrawnMs);
      for (const waitId of await state.members(pendingKey(socketId))) {
        const changed = await settle(async () => {
          const found = await find(socketId, waitId);
          if (found === null || found.wait.fate !== "open") return { result: null };
          const { wait, version } = found;
          const given = wait.approval.given.filter((each) => each !== grant);
          // Written also where nothing changes: a decision that was read before this is looked at again.
          if (!(await store.replace(waitId, version, { ...wait, approval: { ...wait.approval, given } }))) return null;
          return { result: given.length === wait.approval.given.length ? null : wait.handshake };
        });
        if (changed !== null) await waker.wake(waitId, changed);
      }
    },
  };
}

function isOfPeople(wait: Wait): wait is OfPeople {
  return wait.approval !== null;
}

/** @param given the approvals that count. @returns "same": said before, nothing to write; null: there is nothing to be decided any more. */
function after(
  wait: OfPeople,
  grant: string,
  given: readonly string[],
  say: ApprovalDecision["say"],
  isRight: boolean,
): OfPeople | "same" | null {
  const { approval, fate } = wait;
  if (say === "refuse") {
    if (fate === "refused") return "same";
    return fate === "open" ? { ...wait, fate: "refused" } : null;
  }
  if (fate === "confirmed") return given.includes(grant) && isRight ? "same" : null;
  if (fate !== "open") return null;
  if (!isRight) {
    const wrong = approval.wrong + 1;
    return { ...wait, fate: wrong >= wrongMax ? "spent" : "open", approval: { ...approval, wrong } };
  }
  const isKnown = given.includes(grant);
  if (isKnown && given.length === approval.given.length) return "same";
  const all = isKnown ? [...given] : [...given, grant];
  return { ...wait, fate: all.length >= approval.needed ? "confirmed" : "open", approval: { ...approval, given: all } };
}

function stateOf({ fate }: Wait, isRight: boolean): ApprovalState {
  if (fate === "confirmed") return "approved";
  if (fate === "refused" || fate === "spent") return fate;
  return isRight ? "waiting" : "wrong";
}
