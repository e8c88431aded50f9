import { ServiceError } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { holdLength, type Ladder } from "./ladder.ts";
import { nameOf, type Subject } from "./subjects.ts";

/** What stands while somebody waits, or is locked out. Its end is the engine's to say: a clock of ours only words the hint. */
const permit = z.strictObject({
  /** The step that wrote it: its answer is the one that is looked at. */
  by: z.string(),
  isLockout: z.boolean(),
  untilMs: z.number().int(),
  ms: z.number().int(),
});

export interface Hold {
  /** Null: everything of this holder's. */
  readonly gate: string | null;
  readonly isLockout: boolean;
  readonly untilMs: number;
}

/** What one answer was charged to one subject. */
export type Charge =
  | { readonly is: "free" | "paid" }
  /** `version` of the delay, or lockout, that it wrote. */
  | { readonly is: "waits"; readonly version: string; readonly isLockout: boolean }
  | { readonly is: "unpaid" }
  | { readonly is: "held"; readonly hold: Hold };

/** The steps that have failed, or are being looked at, and when they came: a step that is taken twice has one name, and one place. */
const steps = z.array(z.strictObject({ by: z.string(), atMs: z.number().int() }));
type Steps = z.infer<typeof steps>;

/**
 * What is counted of one subject: the steps of those that have failed, as far as they cost no wait; how many behind these; and the hold of the last one.
 *
 * Counted first and looked at then. The first places are given out one by one; behind these the hold itself is the place, and of
 * all who come at once one has written it. So of any number of answers, over however many replicas, no more are looked at
 * than are free or paid for, and what a dying process leaves behind is a failure.
 */
export interface Tolls {
  /** @param by names the step */
  charge(subject: Subject, ladder: Ladder, by: string, paid: boolean): Promise<Charge>;
  /** Failed without having been looked at here. @returns whether it locked out */
  count(subject: Subject, ladder: Ladder, by: string): Promise<boolean>;
  hold(subject: Subject): Promise<Hold | null>;
  /** How many have failed, as far as that is counted. */
  failures(subject: Subject): Promise<number>;
  /** The hold that an answer wrote which was right. */
  lift(subject: Subject, version: string): Promise<void>;
  /** A place that is needed no more. */
  leave(subject: Subject, by: string): Promise<void>;
  /** One wait fewer to be doubled. */
  shorten(subject: Subject): Promise<void>;
  /** What has failed, and not what is held by it. */
  reset(subject: Subject): Promise<void>;
  /** Both. @returns whether anything was held */
  release(subject: Subject): Promise<boolean>;
}

/** Each failure is forgotten this long after it. */
export const windowMs = 24 * 3_600_000;
/** Where it never comes to a wait, more than these are as many. */
const countedMax = 200;
/** More than there are places. */
const triesMax = 250;
type Place = "free" | "paid" | "unpaid" | "none";

export function createTolls(state: State, clock: Clock): Tolls {
  const places = (subject: Subject) => `identity:failed:${nameOf(subject)}`;
  const waits = (subject: Subject) => `identity:waited:${nameOf(subject)}`;
  const holdKey = (subject: Subject) => `identity:hold:${nameOf(subject)}`;

  async function found(subject: Subject) {
    const entry = await state.get(holdKey(subject));
    if (entry === null) return null;
    const { by, isLockout, untilMs, ms } = permit.parse(JSON.parse(Buffer.from(entry.value).toString("utf8")));
    // However our clock was set since: nobody is told to wait longer than the whole of it.
    const bounded = Math.min(untilMs, clock() + ms);
    const hold: Hold = { gate: subject.of === "gate" ? subject.gate : null, isLockout, untilMs: bounded };
    return { by, version: entry.version, hold };
  }

  /** @returns null where there is one already */
  async function write(subject: Subject, ladder: Ladder, by: string) {
    const nth = (await state.sum(waits(subject))) + 1;
    const { isLockout, ms } = holdLength(ladder, nth);
    const untilMs = clock() + ms;
    const value = Buffer.from(JSON.stringify({ by, isLockout, untilMs, ms }));
    const version = await state.create(holdKey(subject), value, ms);
    if (version === null) return null;
    await state.add(waits(subject), 1, windowMs);
    // For the owner to see. What is no more is not shown, so that it may stay there longer: it is the first that makes room.
    await state.join(heldWith(subject), JSON.stringify(subject), untilMs + windowMs, heldMax);
    return { version, isLockout };
  }

  async function read(subject: Subject): Promise<{ readonly taken: Steps; readonly version: string | null }> {
    const entry = await state.get(places(subject));
    if (entry === null) return { taken: [], version: null };
    const all = steps.parse(JSON.parse(Buffer.from(entry.value).toString("utf8")));
    return { taken: all.filter(({ atMs }) => clock() < atMs + windowMs), version: entry.version };
  }

  /**
   * Of those who come at once each sees what the one before wrote. They cannot be at it for long: once there is no place left, nobody writes.
   * @param change null: there is nothing to write
   */
  async function rewrite(subject: Subject, change: (taken: Steps) => Steps | null): Promise<void> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { taken, version } = await read(subject);
      const next = change(taken);
      if (next === null) return;
      const value = Buffer.from(JSON.stringify(next));
      const key = places(subject);
      const written =
        version === null
          ? await state.create(key, value, windowMs)
          : await state.replace(key, version, value, windowMs);
      if (written !== null) return;
    }
    throw new ServiceError("busy");
  }

  async function place(subject: Subject, { free, open }: Ladder, by: string, paid: boolean): Promise<Place> {
    let got: Place = "none";
    await rewrite(subject, (taken) => {
      const mine = taken.findIndex((step) => step.by === by);
      const rank = mine < 0 ? taken.length : mine;
      got = rank < free ? "free" : rank >= open ? "none" : paid ? "paid" : "unpaid";
      const isWritten = mine >= 0 || taken.length >= countedMax;
      return isWritten || got === "none" || got === "unpaid" ? null : [...taken, { by, atMs: clock() }];
    });
    return got;
  }

  async function charge(subject: Subject, ladder: Ladder, by: string, paid: boolean): Promise<Charge> {
    const there = await found(subject);
    if (there !== null) return ofHold(there, by);
    const got = await place(subject, ladder, by, paid);
    if (got !== "none") return { is: got };
    const written = await write(subject, ladder, by);
    if (written !== null) return { is: "waits", ...written };
    const other = await found(subject);
    return other === null ? { is: "unpaid" } : ofHold(other, by);
  }

  /** The step's own is found where it is taken once more. */
  function ofHold({ by: writer, version, hold }: NonNullable<Awaited<ReturnType<typeof found>>>, by: string): Charge {
    return writer === by ? { is: "waits", version, isLockout: hold.isLockout } : { is: "held", hold };
  }

  async function failures(subject: Subject): Promise<number> {
    return (await read(subject)).taken.length;
  }

  async function reset(subject: Subject): Promise<void> {
    await state.delete(places(subject));
    await state.reset(waits(subject));
  }

  return {
    charge,
    async count(subject, ladder, by) {
      if ((await place(subject, ladder, by, true)) !== "none") return false;
      return (await write(subject, ladder, by))?.isLockout ?? false;
    },
    async hold(subject) {
      return (await found(subject))?.hold ?? null;
    },
    failures,
    async lift(subject, version) {
      await state.delete(holdKey(subject), version);
    },
    async leave(subject, by) {
      await rewrite(subject, (taken) =>
        taken.some((step) => step.by === by) ? taken.filter((step) => step.by !== by) : null,
      );
    },
    async shorten(subject) {
      // Forgiven meanwhile, or released: there is nothing left to be shorter.
      if ((await state.sum(waits(subject))) > 0) await state.add(waits(subject), -1, windowMs);
    },
    reset,
    async release(subject) {
      const isHeld = await state.delete(holdKey(subject));
      await reset(subject);
      return isHeld;
    },
  };
}

/**
 * So many of a socket are listed of either kind. What ends first is left out where there are more: it holds all the same, and ends by itself, and the owner cannot
 * end it before.
 */
export const heldMax = 2_000;

/**
 * The subjects of a socket that were held not long ago: gates of members, wherever somebody failed at them, and apart from them whatever names a network. Whoever comes
 * from addresses without end adds to the second kind alone, and cannot move a member whom they have locked out off the list by it. There, too, a lockout
 * outlives delays, and one takes many failures over hours from each of those networks.
 */
export function heldOn(socketId: string): readonly string[] {
  return [`identity:held:members:${socketId}`, `identity:held:networks:${socketId}`];
}

/** Where this one is among those. */
export function heldWith({ socketId, network }: Subject): string {
  const [members = "", networks = ""] = heldOn(socketId);
  return network === null ? members : networks;
}
