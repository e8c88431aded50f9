/** How far a handshake is: a reading of the policy's tree over the set of passed positions. No state of its own. */
import { type Branch, type Leaf, type Part, partsOf, type Take, takenOf, topOf, visitParts } from "../composition.ts";
import { canGoOn, type DistinctGroup, isDistinct } from "../distinct.ts";
import type { Enrolment } from "../gates/gate.ts";
import { type GateItem, type GateName, gateOf } from "../gates/registry.ts";
import { type PlacedGate, placed, visitGates } from "../items.ts";
import { beforeOf, type Policy } from "../policy.ts";

/** What progress depends on; fixed when the handshake begins. */
export interface Terms {
  readonly policy: Policy;
  readonly keyId: string | null;
  readonly member: { readonly id: string; readonly enrolled: readonly string[] } | null;
  readonly socketEnrolled: readonly string[];
  /** Which way each `when` of the policy went. */
  readonly branches: readonly Branch[];
  readonly ticket: boolean;
  /** A proof of work comes first: of somebody much has failed of late. */
  readonly work: boolean;
  /** Gates at which nothing is looked at now. */
  readonly held: readonly string[];
}

/** The price of trying. It stands before everything that has to be answered. */
const workAt = "before.work";
const workItem: GateItem = { gate: "captcha", cost: "normal" };

/**
 * An authenticator that a member has enrolled is asked for in every branch. This stands after everything else and is
 * satisfied as well by any gate of the policy that asked for it.
 */
const enrolledAt = "enrolled.otp";
const enrolledItem: GateItem = { gate: "otp", of: "member" };

function mustUseEnrolled({ member }: Terms): boolean {
  return member?.enrolled.includes(enrolledItem.gate) ?? false;
}

function takeOf({ branches }: Pick<Terms, "branches">): (at: string) => Take {
  return takenOf(branches);
}

/** Every gate that the handshake could ask for, what `before` and the enrolled authenticator add included. */
export function sequenceOf(terms: Terms): Leaf[] {
  const leaves: Leaf[] = [...beforeOf(terms.policy)];
  if (terms.work) leaves.push({ at: workAt, item: workItem });
  visitGates(terms.policy.gates, (at, item) => leaves.push({ at, item }), takeOf(terms));
  if (mustUseEnrolled(terms)) leaves.push({ at: enrolledAt, item: enrolledItem });
  return leaves;
}

/** Bound to the member who was named, by their own authenticator for instance, so that passing it proves more than a claim. */
export function isMemberBound(terms: Terms, item: GateItem): boolean {
  const { needs, bindsMember, provesNobody } = gateOf(item);
  if (provesNobody === true) return false;
  return needs(item)?.of === "member" || (bindsMember === true && terms.member !== null);
}

/** Whether a gate bound to the member has passed by now: whoever is there is more than claimed to be them. */
export function isMemberProven(terms: Terms, passed: readonly string[]): boolean {
  return sequenceOf(terms).some(({ at, item }) => passed.includes(at) && isMemberBound(terms, item));
}

/** Positions that the opening itself has passed. */
export function passedByOpening(terms: Terms): string[] {
  return sequenceOf(terms).flatMap(({ at, item }) => (gateOf(item).decided(terms) === true ? [at] : []));
}

/**
 * What was passed so far, in order of time, without the implicit `path` and without the price of trying, which no policy has asked for.
 *
 * @returns `bound`: those that only the member who is claimed can pass
 */
export function passedOf(state: Terms & { readonly passed: readonly string[] }): {
  readonly gates: GateName[];
  readonly bound: GateName[];
} {
  const items = new Map(sequenceOf(state).map(({ at, item }) => [at, item]));
  const passed = state.passed.flatMap((at) => (at === workAt ? [] : (items.get(at) ?? [])));
  return {
    gates: passed.flatMap(({ gate }) => (gate === "path" ? [] : [gate])),
    bound: passed.filter((item) => isMemberBound(state, item)).map(({ gate }) => gate),
  };
}

/** False where no sequence of right answers leads in: some item asks for what is not enrolled. */
export function isPassable(terms: Terms): boolean {
  const isEnrolledHeld = mustUseEnrolled(terms) && terms.held.includes(enrolledItem.gate);
  return isBeforePassed(terms) && !isEnrolledHeld && topOf(terms.policy.gates).every((part) => canPass(terms, part));
}

/** The authenticators on which the handshake counts: asked for by one of its gates, and enrolled when it began. */
export function authenticatorsOf(terms: Terms): Enrolment[] {
  return sequenceOf(terms)
    .flatMap(({ item }) => gateOf(item).needs(item) ?? [])
    .filter((need) => isEnrolled(terms, need));
}

/** Decided by the opening, so that it is no question of which positions have been passed since. */
function isBeforePassed({ policy, ticket }: Terms): boolean {
  return policy.before.ticket !== "required" || ticket;
}

function canPass(terms: Terms, { at, item }: Part): boolean {
  if ("gate" in item) return canPassGate(terms, item);
  const parts = partsOf(item, at, takeOf(terms)(at));
  if ("anyOf" in item) return parts.some((part) => canPass(terms, part));
  if ("distinct" in item) return isDistinct(distinctGroup(terms, at, item), (leaf) => canPassGate(terms, leaf.item));
  return parts.every((part) => canPass(terms, part));
}

function canPassGate(terms: Terms, item: GateItem): boolean {
  const gate = gateOf(item);
  if (terms.held.includes(item.gate)) return false;
  if (gate.decided(terms) === false) return false;
  const need = gate.needs(item);
  return need === null || isEnrolled(terms, need);
}

function isEnrolled(terms: Terms, { of, gate }: Enrolment): boolean {
  const enrolled = of === "member" ? (terms.member?.enrolled ?? []) : terms.socketEnrolled;
  return enrolled.includes(gate);
}

export function isComplete(terms: Terms, passed: ReadonlySet<string>): boolean {
  return (
    beforeOf(terms.policy).every(({ at }) => passed.has(at)) &&
    isPaid(terms, passed) &&
    topOf(terms.policy.gates).every((part) => isSatisfied(terms, part, passed)) &&
    isEnrolledUsed(terms, passed)
  );
}

/** Whether the proof of work that was asked for has been made. */
export function hasPaid({ work, passed }: Pick<Terms, "work"> & { readonly passed: readonly string[] }): boolean {
  return work && passed.includes(workAt);
}

/** The gate that is waited for; null: none. */
export function waitingGate(state: Terms & { readonly waiting: { readonly at: string } | null }): GateName | null {
  return sequenceOf(state).find(({ at }) => at === state.waiting?.at)?.item.gate ?? null;
}

/** Whether it cannot be passed any more without a gate that it has not passed yet. */
export function standsOrFallsWith(state: Terms & { readonly passed: readonly string[] }, gate: string): boolean {
  const isPassed = sequenceOf(state).some(({ at, item }) => item.gate === gate && state.passed.includes(at));
  return !isPassed && !isPassable({ ...state, held: [...state.held, gate] });
}

function isPaid({ work }: Terms, passed: ReadonlySet<string>): boolean {
  return !work || passed.has(workAt);
}

function isSatisfied(terms: Terms, { at, item }: Part, passed: ReadonlySet<string>): boolean {
  if ("gate" in item) return passed.has(at);
  const parts = partsOf(item, at, takeOf(terms)(at));
  if ("anyOf" in item) return parts.some((part) => isSatisfied(terms, part, passed));
  if ("distinct" in item) return isDistinct(distinctGroup(terms, at, item), (leaf) => passed.has(leaf.at));
  return parts.every((part) => isSatisfied(terms, part, passed));
}

function isEnrolledUsed(terms: Terms, passed: ReadonlySet<string>): boolean {
  if (!mustUseEnrolled(terms)) return true;
  return sequenceOf(terms).some(
    ({ at, item }) => passed.has(at) && isMemberBound(terms, item) && item.gate === enrolledItem.gate,
  );
}

/** The gates that may be answered now, in the order of the document; empty when the policy is complete. */
export function frontierOf(terms: Terms, passed: ReadonlySet<string>): PlacedGate[] {
  if (!isPaid(terms, passed)) return [placed(workAt, workItem)];
  const next = topOf(terms.policy.gates).find((part) => !isSatisfied(terms, part, passed));
  if (next !== undefined) return openGates(terms, next, passed).map(({ at, item }) => placed(at, item));
  return isEnrolledUsed(terms, passed) ? [] : [placed(enrolledAt, enrolledItem)];
}

/** Alternatives that cannot be passed are not offered: they would be a dead end. */
function openGates(terms: Terms, part: Part, passed: ReadonlySet<string>): Leaf[] {
  const { at, item } = part;
  if (isSatisfied(terms, part, passed) || !canPass(terms, part)) return [];
  if ("gate" in item) return [{ at, item }];
  const parts = partsOf(item, at, takeOf(terms)(at));
  if ("when" in item) {
    const next = parts.find((each) => !isSatisfied(terms, each, passed));
    return next === undefined ? [] : openGates(terms, next, passed);
  }
  const open = parts.flatMap((each) => openGates(terms, each, passed));
  return "distinct" in item ? open.filter(staysDistinct(terms, distinctGroup(terms, at, item), passed)) : open;
}

function distinctGroup(terms: Terms, at: string, item: DistinctGroup["item"]): DistinctGroup {
  return { at, item, takeOf: takeOf(terms) };
}

/** Neither a device that was used already, nor one that another gate of the group cannot do without. */
function staysDistinct(terms: Terms, group: DistinctGroup, passed: ReadonlySet<string>): (leaf: Leaf) => boolean {
  const within: Leaf[] = [];
  visitParts(
    partsOf(group.item, group.at),
    (at, item) => {
      if ("gate" in item && passed.has(at)) within.push({ at, item });
    },
    takeOf(terms),
  );
  return (leaf) => canGoOn(group, [...within, leaf], (one) => canPassGate(terms, one.item));
}
