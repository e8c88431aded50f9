import { ServiceError } from "@portcullis/contracts";
import { countedGates, liesIn, type OnFailure } from "@portcullis/policy";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import type { NetworkRisk } from "../handshake/risk.ts";
import { hashOf } from "../secrets.ts";
import { createKnown } from "./known.ts";
import { ladderOf, type Rules } from "./ladder.ts";
import { holderOf, type Subject, subject, subjectsOf, type Who } from "./subjects.ts";
import { type Charge, createTolls, type Hold } from "./tolls.ts";

export type { Who } from "./subjects.ts";
export type { Hold } from "./tolls.ts";

/** How somebody stands when they come. */
export interface Standing {
  /** A proof of work is due. */
  readonly work: boolean;
  readonly holds: readonly Hold[];
  /** The free tries of this holder, as this member, are used up, and they never came in from here. What others did as the same member is not theirs. */
  readonly spent: boolean;
  /** Came in from here before, under this key and name. */
  readonly known: boolean;
  /** Failures of the network, not long ago. */
  readonly networkFailures: number;
}

/** What an answer was charged to a subject, for whoever finds out whether it was right. */
export const charged = z.strictObject({
  subject,
  /** Name of its place. */
  by: z.string(),
  /** Of the hold that it wrote; null: it took one of the first places. */
  version: z.string().nullable(),
  isLockout: z.boolean(),
  /** With the proof of work. */
  paid: z.boolean(),
});
export type Charged = z.infer<typeof charged>;

export interface Answering {
  readonly who: Who;
  readonly known: boolean;
  readonly rules: Rules;
  readonly gates: readonly string[];
}

export type Charging = { readonly held: Hold } | { readonly held: null; readonly charges: readonly Charged[] };

export interface Penalties {
  /** The same look-ups for whoever asks, and for nobody. */
  look(who: Who, rules: OnFailure | null): Promise<Standing>;
  /**
   * Before answers are looked at. What came together at one gate is one try.
   * @param step names it: taken once more, it is charged once
   */
  charge(answering: Answering, step: string, paid: boolean): Promise<Charging>;
  /** What a right answer holds up itself. Can be done again. */
  lift(charges: readonly Charged[]): Promise<void>;
  /** What a right answer was charged, and no more. Not to be done again. */
  giveBack(charges: readonly Charged[]): Promise<void>;
  /**
   * Whoever has passed everything that was asked for is forgiven what was wrong before at these gates. Not for a right answer alone: of two authenticators at gates of
   * one name, whoever has one could guess at the other without end.
   */
  forgive(answering: Omit<Answering, "rules">): Promise<void>;
  /** Failures that nobody here looked at. @returns what is locked out by them */
  count(answering: Answering, event: string): Promise<Subject[]>;
  /** What stops these gates, the longest first. @param lockouts those alone */
  holdOf(answering: Omit<Answering, "rules">, lockouts?: boolean): Promise<Hold | null>;
  cameIn(who: Who): Promise<void>;
}

/** Whoever comes from a network that the owner trusts. */
export function unblemished({ known, networkFailures }: Standing): Standing {
  return { work: false, holds: [], spent: false, known, networkFailures };
}

/** Of several: what stops them first ends first, and a delay is what they may hear of. */
export function soonest(holds: readonly Hold[]): Hold {
  const [first] = holds.toSorted((a, b) => Number(a.isLockout) - Number(b.isLockout) || a.untilMs - b.untilMs);
  if (first === undefined) throw new ServiceError("internal");
  return first;
}

/** Where nobody is held to account: from a network that the owner trusts. */
export function isTrusted({ trusted }: OnFailure, address: string): boolean {
  return liesIn(address, trusted) === true;
}

export function createPenalties(state: State, risk: Pick<NetworkRisk, "failures">, clock: Clock): Penalties {
  const tolls = createTolls(state, clock);
  const known = createKnown(state);

  async function holdsOf(subjects: readonly Subject[]): Promise<Hold[]> {
    const found = await Promise.all(subjects.map((each) => tolls.hold(each)));
    return found.filter((hold) => hold !== null);
  }

  return {
    async look(who, rules) {
      const isKnown = await known.is(who);
      // Of whoever is known the holder is looked up as well, and of nobody a member's gates: it must cost the same.
      const nobody = { ...who, memberId: who.memberId ?? "none" };
      const gates = subjectsOf(nobody, countedGates, isKnown).filter(({ of }) => of === "gate");
      const [networkFailures, ofHolder, holderHolds, gateHolds, ...ofGates] = await Promise.all([
        risk.failures(who.network),
        tolls.failures(holderOf(who)),
        holdsOf([holderOf(who)]),
        holdsOf(gates),
        ...gates.map((each) => tolls.failures(each)),
      ]);
      const failures = Math.max(isKnown ? 0 : ofHolder, ...(who.memberId === null ? [] : ofGates));
      const free = rules?.free ?? Number.POSITIVE_INFINITY;
      return {
        work: (rules?.work ?? 0) > 0 && Math.max(failures, networkFailures) >= free,
        spent: ofHolder >= free && !isKnown,
        networkFailures,
        holds: [...(isKnown ? [] : holderHolds), ...(who.memberId === null ? [] : gateHolds)],
        known: isKnown,
      };
    },

    async charge({ who, known: isKnown, rules, gates }, step, paid) {
      const by = placeOf(step);
      const charges: Charged[] = [];
      for (const each of subjectsOf(who, gates, isKnown)) {
        const charge = await tolls.charge(each, ladderOf(rules, each), by, paid);
        // What was charged before stays, and what it was charged for is not looked at.
        if (charge.is === "held") return { held: charge.hold };
        if (charge.is === "unpaid") return { held: { gate: null, isLockout: false, untilMs: clock() } };
        charges.push(chargedOf(each, by, charge));
      }
      return { held: null, charges };
    },

    async lift(charges) {
      for (const { subject: each, version } of charges) if (version !== null) await tolls.lift(each, version);
    },

    async giveBack(charges) {
      for (const { subject: each, by, version } of charges) {
        if (version === null) await tolls.leave(each, by);
        else await tolls.shorten(each);
      }
    },

    async forgive({ who, known: isKnown, gates }) {
      // Not what another answer holds: where one came in and another locked out at once, the lockout stands.
      for (const each of subjectsOf(who, gates, isKnown)) if (each.of === "gate") await tolls.reset(each);
    },

    async count({ who, known: isKnown, rules, gates }, event) {
      const by = placeOf(event);
      const locked: Subject[] = [];
      for (const each of subjectsOf(who, gates, isKnown))
        if (await tolls.count(each, ladderOf(rules, each), by)) locked.push(each);
      return locked;
    },

    async holdOf({ who, known: isKnown, gates }, lockouts = false) {
      const holds = await holdsOf(subjectsOf(who, gates, isKnown));
      const [longest = null] = holds
        .filter(({ isLockout }) => isLockout || !lockouts)
        .toSorted((a, b) => Number(b.isLockout) - Number(a.isLockout) || b.untilMs - a.untilMs);
      return longest;
    },

    cameIn: (who) => known.note(who),
  };
}

function chargedOf(of: Subject, by: string, charge: Exclude<Charge, { is: "held" | "unpaid" }>): Charged {
  return charge.is === "waits"
    ? { subject: of, by, version: charge.version, isLockout: charge.isLockout, paid: false }
    : { subject: of, by, version: null, isLockout: false, paid: charge.is === "paid" };
}

/** Short: there are many in one set. */
function placeOf(step: string): string {
  return hashOf(step).slice(0, 16);
}
