import { randomInt } from "node:crypto";
import { type WaitFate, type WaitView, waitQueue } from "@portcullis/contracts";
import type { Jobs } from "@portcullis/jobs";
import type { Clock, Ids, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Channel } from "./channel.ts";
import type { SendLimits } from "./limits.ts";
import { type ComposedMessage, messageOf } from "./message.ts";
import { isAddressed, isToPerson, type StoredWait, viewOf, type Wait, type WaitStore } from "./record.ts";
import { isEqual, type WaitSecrets } from "./secrets.ts";
import type { Waker } from "./waker.ts";

export interface WaitsContext {
  readonly store: WaitStore;
  readonly state: State;
  readonly jobs: Jobs;
  readonly limits: SendLimits;
  readonly secrets: WaitSecrets;
  readonly waker: Waker;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Pick<Logger, "info">;
  readonly publicUrl: string;
  /** Wrong answers in a row for one contact, over all of its waits. */
  readonly failuresMax: number;
}

export interface NewWait {
  readonly waitId: string;
  readonly handshake: string;
  readonly socketId: string;
  readonly gate: string;
  readonly enrolmentId: string | null;
  readonly channel: Wait["channel"];
  readonly by: Wait["by"];
  readonly to: string | null;
  readonly member: string | null;
  readonly label: string;
  readonly untilMs: number;
}

export type CodeRefusal = "no-wait" | "exhausted" | "wrong" | "used";
export type Confirmation = "confirmed" | "wrong" | "gone";

export interface Waits {
  /** Once for each id. */
  start(wait: NewWait): Promise<WaitView>;
  /** Once for each ref. Null: there is no such wait any more. */
  resend(waitId: string, ref: string): Promise<WaitView | null>;
  /** `wait`: null where it is over. */
  read(waitId: string): Promise<{ readonly wait: WaitView | null; readonly fate: WaitFate }>;
  /** Null where there is nothing to send (any more). */
  compose(waitId: string): Promise<ComposedMessage | null>;
  report(waitId: string, sending: string, status: "sent" | "delayed" | "failed"): Promise<void>;
  wake(waitId: string): Promise<void>;
  /** A code typed into the client. @param holder the only one that may present it again. @returns null where it is right. */
  check(attempt: {
    readonly waitId: string | null;
    readonly socketId: string;
    readonly code: string;
    readonly holder: string;
  }): Promise<CodeRefusal | null>;
  /** The socket's name, for the page behind a link; changes nothing. Null for a link that is good for nothing. */
  find(token: string): Promise<{ readonly label: string } | null>;
  confirm(token: string, number: string): Promise<Confirmation>;
  /**
   * Whoever may decide has decided. The first decision stands.
   * @returns what the wait has become; null where there is no such wait any more
   */
  decide(waitId: string, fate: "confirmed" | "refused"): Promise<WaitFate | null>;
}

/** Wrong codes for one wait, over all of its messages (Twilio Verify's rule), and wrong numbers on its page. */
const codesMax = 5;
const numbersMax = 3;
const triesMs = 30 * 60_000;
const failuresTtlMs = 365 * 86_400_000;
const writesMax = 8;
/** By which request the first message was asked for. */
const startRef = "start";
/** Tries of a message in all: with the pauses between them half a minute, so that a provider's hiccup is no failure; four for an owner's program. */
const sendAttempts = { email: 5, sms: 5, call: 5, webhook: 8 } as const;
const sendBackoffMs = 2_000;

export function createWaits(context: WaitsContext): Waits {
  const { store, state, jobs, limits, secrets, waker, clock, ids, log } = context;

  /** Wrong codes and wrong numbers of a contact, in a row. */
  const failuresOf = (wait: Wait | null) => `factors.failures.${wait?.enrolmentId ?? "nobody"}`;
  const isOver = ({ untilMs }: Wait) => clock() >= untilMs;
  const enqueue = (waitId: string, channel: Channel, sending: string) =>
    jobs.enqueue(
      waitQueue.names[channel],
      { id: sending, data: { waitId, sending } },
      { attempts: sendAttempts[channel], backoffMs: sendBackoffMs },
    );

  /** What the wait is after another message was asked for. */
  async function asked(waitId: string, wait: Wait, ref: string): Promise<Wait> {
    if (!isAddressed(wait)) return { ...wait, status: "sent" };
    const permission = await limits.ask(wait, `${waitId}/${ref}`);
    if (!permission.ok) {
      log.info("a message was refused", { channel: wait.channel, cause: permission.cause });
      const nothingSent = wait.sendings.length === 0;
      return { ...wait, status: nothingSent ? "refused" : wait.status, resendAtMs: permission.againAtMs };
    }
    const sendings = [...wait.sendings, { id: ids.id("send"), ref, done: false }];
    const resendAtMs = sendings.length < limits.perWaitMax ? clock() + limits.spacingMs : null;
    return { ...wait, status: "queued", sendings, resendAtMs };
  }

  /**
   * The message that a request asked for, which may not be in the queue: who took the request before may have died in between. No
   * other one: it may have been sent without anybody hearing of it.
   */
  async function requeue(waitId: string, wait: Wait, ref: string): Promise<void> {
    const { channel } = wait;
    if (channel === null) return;
    for (const { id, ref: by, done } of wait.sendings) if (by === ref && !done) await enqueue(waitId, channel, id);
  }

  async function change(waitId: string, next: (stored: StoredWait) => Wait | null): Promise<Wait | null> {
    for (let tries = 0; tries < writesMax; tries += 1) {
      const stored = await store.get(waitId);
      const changed = stored === null ? null : next(stored);
      if (stored === null || changed === null) return null;
      if (await store.replace(waitId, stored.version, changed)) return changed;
    }
    throw new Error("a wait is written by too many at once");
  }

  /** Whoever waits is told, and may begin another wait: this one would go on for nothing. */
  async function spend(waitId: string): Promise<"gone"> {
    const spent = await change(waitId, ({ wait }) =>
      wait.fate === "confirmed" || isOver(wait) ? null : { ...wait, fate: "spent" },
    );
    if (spent !== null) await waker.wake(waitId, spent.handshake);
    return "gone";
  }

  /** Counts the request, which is counted once however often it is repeated. */
  async function isUsedUp(waitId: string, holder: string): Promise<boolean> {
    const tries = `factors.wait-tries.${waitId}`;
    await state.join(tries, holder, clock() + triesMs);
    return (await state.members(tries)).length > codesMax;
  }

  return {
    async start({ waitId, channel, by, ...rest }) {
      const before = await store.get(waitId);
      if (before === null) {
        const number = by === "link" || by === "approval" ? `${randomInt(100, 1_000)}` : null;
        const empty: Wait = {
          ...rest,
          channel,
          by,
          number,
          status: "queued",
          resendAtMs: null,
          sendings: [],
          fate: "open",
          approval: null,
        };
        const wait = await asked(waitId, empty, startRef);
        if (await store.create(waitId, wait)) {
          await requeue(waitId, wait, startRef);
          return viewOf(wait);
        }
      }
      const stored = before ?? (await store.get(waitId));
      if (stored === null) throw new Error("a wait vanished while it began");
      await requeue(waitId, stored.wait, startRef);
      return viewOf(stored.wait);
    },

    async resend(waitId, ref) {
      for (let tries = 0; tries < writesMax; tries += 1) {
        const stored = await store.get(waitId);
        if (stored === null || isOver(stored.wait)) return null;
        const { wait } = stored;
        const isRepeated = wait.sendings.some((sending) => sending.ref === ref);
        const isEarly = wait.resendAtMs === null || clock() < wait.resendAtMs;
        const isIdle = isRepeated || isEarly || wait.fate !== "open";
        const next = isIdle ? wait : await asked(waitId, wait, ref);
        // Somebody else may have written meanwhile; asked again, the message is counted once.
        if (!isIdle && !(await store.replace(waitId, stored.version, next))) continue;
        await requeue(waitId, next, ref);
        return viewOf(next);
      }
      throw new Error("a wait is written by too many at once");
    },

    async read(waitId) {
      const stored = await store.get(waitId);
      return stored === null || isOver(stored.wait)
        ? { wait: null, fate: "open" }
        : { wait: viewOf(stored.wait), fate: stored.wait.fate };
    },

    async compose(waitId) {
      const stored = await store.get(waitId);
      if (stored === null || isOver(stored.wait) || stored.wait.fate !== "open") return null;
      const { wait } = stored;
      if (!isToPerson(wait) || wait.sendings.every(({ done }) => done)) return null;
      return messageOf(waitId, wait, secrets, context.publicUrl);
    },

    async report(waitId, sending, status) {
      const changed = await change(waitId, ({ wait }) => {
        const reported = wait.sendings.find(({ id }) => id === sending);
        if (reported === undefined) return null;
        // What was handed over may still fail on its way to the phone. The same once more wakes once more: who was told first may have
        // died before anybody heard of it.
        if (reported.done && status !== "failed" && status !== wait.status) return null;
        const done = reported.done || status !== "delayed";
        const sendings = wait.sendings.map((each) => (each === reported ? { ...each, done } : each));
        // An older message says nothing about the newest one.
        return { ...wait, sendings, status: wait.sendings.at(-1) === reported ? status : wait.status };
      });
      if (changed !== null) await waker.wake(waitId, changed.handshake);
    },

    async wake(waitId) {
      const stored = await store.get(waitId);
      if (stored !== null) await waker.call(waitId, stored.wait.handshake);
    },

    async check({ waitId, socketId, code, holder }) {
      const stored = waitId === null ? null : await store.get(waitId);
      const wait = stored?.wait ?? null;
      // Counted before it is looked at: of any number of guesses at once, no more than the limit are ever compared.
      const usedUp = await isUsedUp(waitId ?? holder, holder);
      const failuresKey = failuresOf(wait);
      const failures = await state.add(failuresKey, 1, wait === null ? triesMs : failuresTtlMs);
      const isRight = secrets.isCode(waitId ?? "none", code);
      if (waitId === null || wait === null || wait.socketId !== socketId || wait.by !== "code" || isOver(wait))
        return "no-wait";
      if (usedUp || failures > context.failuresMax) return "exhausted";
      if (!isRight) return "wrong";
      if (!(await state.advance(`factors.wait-used.${waitId}`, 1, holder, triesMs))) return "used";
      await state.reset(failuresKey);
      if (isAddressed(wait)) await limits.answered(wait);
      return null;
    },

    async decide(waitId, fate) {
      const decided = await change(waitId, ({ wait }) =>
        isOver(wait) || wait.fate !== "open" ? null : { ...wait, fate },
      );
      const stored = decided ?? (await store.get(waitId))?.wait ?? null;
      if (stored === null || isOver(stored)) return null;
      // Also where it was decided before: whoever did may have died before anybody heard of it.
      await waker.wake(waitId, stored.handshake);
      return stored.fate;
    },

    async find(token) {
      const waitId = secrets.waitOf(token);
      const stored = waitId === null ? null : await store.get(waitId);
      if (stored === null || isOver(stored.wait)) return null;
      const { by, fate, label } = stored.wait;
      return by === "link" && fate === "open" ? { label } : null;
    },

    async confirm(token, number) {
      const waitId = secrets.waitOf(token);
      const stored = waitId === null ? null : await store.get(waitId);
      if (waitId === null || stored === null || isOver(stored.wait) || stored.wait.by !== "link") return "gone";
      // Of what is confirmed there is nothing to guess any more; who sends the number again may have missed the answer.
      const isGuess = stored.wait.fate !== "confirmed";
      const failures = failuresOf(stored.wait);
      const tries = isGuess ? await state.add(`factors.wait-numbers.${waitId}`, 1, triesMs) : 0;
      if (tries > numbersMax) return spend(waitId);
      if (isGuess && (await state.add(failures, 1, failuresTtlMs)) > context.failuresMax) return spend(waitId);
      if (!isEqual(stored.wait.number ?? "", number)) return tries < numbersMax ? "wrong" : spend(waitId);
      const confirmed = await change(waitId, ({ wait }) =>
        isOver(wait) || wait.fate === "spent" ? null : { ...wait, fate: "confirmed" },
      );
      if (confirmed === null) return "gone";
      if (isGuess) {
        await state.reset(failures);
        if (isAddressed(confirmed)) await limits.answered(confirmed);
      }
      await waker.wake(waitId, confirmed.handshake);
      return "confirmed";
    },
  };
}
