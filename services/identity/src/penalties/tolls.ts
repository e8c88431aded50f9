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

/**
 * What is counted of one subject: the steps of those that have failed, as far as they cost no wait; how many behind these; and the hold of the last one.
 *
 * Counted first and looked at then. A place among the first ones is taken by putting the step's name into a set, and had where the set is then not larger than
 * there are places; behind these the hold itself is the place, and of all who come at once one has written it. So of any number of answers, over however many replicas,
 * no more are looked at than are free or paid for, and what a dying process leaves behind is a failure. A step that is taken twice
 * has one name, and one place.
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

export function createTolls(state: State, clock: Clock): Tolls {
  const places = (subject: Subject) => `identity:failed:${nameOf(subject)}`;
  const waits = (subject: Subject) => `identity:waited:${nameOf(subject)}`;
  const holdKey = (subject: Subject) => `identity:hold:${nameOf(subject)}`;
  const index = (subject: Subject) => heldOn(subject.socketId);

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
    // For the owner to see. What is no more is not shown, so that it may stay there longer.
    await state.join(index(subject), JSON.stringify(subject), untilMs + windowMs);
    return { version, isLockout };
  }

  /** Takes a place, where one may be left. @returns how many have one now */
  async function take(subject: Subject, { open }: Ladder, by: string): Promise<number> {
    const taken = await state.members(places(subject));
    if (taken.includes(by)) return taken.length;
    if (taken.length >= Math.min(open, countedMax)) return taken.length + 1;
    await state.join(places(subject), by, clock() + windowMs);
    // Whoever finds too many has come at once with others, and stays: one who left might leave room for two.
    return (await state.members(places(subject))).length;
  }

  async function charge(subject: Subject, ladder: Ladder, by: string, paid: boolean): Promise<Charge> {
    const there = await found(subject);
    if (there !== null) return ofHold(there, by);
    const failed = await failures(subject);
    if (failed >= ladder.free && failed < ladder.open && !paid) return { is: "unpaid" };
    const place = await take(subject, ladder, by);
    if (place <= ladder.free) return { is: "free" };
    if (place <= ladder.open) return { is: paid ? "paid" : "unpaid" };
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
    return (await state.members(places(subject))).length;
  }

  async function reset(subject: Subject): Promise<void> {
    const taken = await state.members(places(subject));
    await Promise.all(taken.map((by) => state.leave(places(subject), by)));
    await state.reset(waits(subject));
  }

  return {
    charge,
    async count(subject, ladder, by) {
      if ((await take(subject, ladder, by)) <= ladder.open) return false;
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
      await state.leave(places(subject), by);
    },
    async shorten(subject) {
      await state.add(waits(subject), -1, windowMs);
    },
    reset,
    async release(subject) {
      const isHeld = await state.delete(holdKey(subject));
      await reset(subject);
      return isHeld;
    },
  };
}

/** The subjects of a socket that were held not long ago. */
export function heldOn(socketId: string): string {
  return `identity:held:${socketId}`;
}
