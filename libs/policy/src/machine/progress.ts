/** How far a handshake is: a reading of the policy's tree over the set of passed positions. No state of its own. */
import type { Enrolment } from "../gates/gate.ts";
import { type GateItem, gateOf } from "../gates/registry.ts";
import { type Item, type PlacedGate, placed, visitGates } from "../items.ts";
import type { Policy } from "../policy.ts";

/** What progress depends on; fixed when the handshake begins. */
export interface Terms {
  readonly policy: Policy;
  readonly keyId: string | null;
  readonly member: { readonly id: string; readonly enrolled: readonly string[] } | null;
  readonly socketEnrolled: readonly string[];
}

/**
 * An authenticator that a member has enrolled is asked for in every branch. This stands after everything else and is
 * satisfied as well by any gate of the policy that asked for it.
 */
const enrolledAt = "enrolled.otp";
const enrolledItem: GateItem = { gate: "otp", of: "member" };

function mustUseEnrolled({ member }: Terms): boolean {
  return member?.enrolled.includes(enrolledItem.gate) ?? false;
}

interface Leaf {
  readonly at: string;
  readonly item: GateItem;
}

/** Every gate that the handshake could ask for, the enrolled authenticator included. */
export function sequenceOf(terms: Terms): Leaf[] {
  const leaves: Leaf[] = [];
  visitGates(terms.policy.gates, (at, item) => leaves.push({ at, item }));
  if (mustUseEnrolled(terms)) leaves.push({ at: enrolledAt, item: enrolledItem });
  return leaves;
}

/** Bound to the member's own authenticator, so that passing it proves more than a claim. */
export function isMemberBound(item: GateItem): boolean {
  const { needs, bindsMember } = gateOf(item);
  return needs(item)?.of === "member" || bindsMember === true;
}

/** Positions that the opening itself has passed. */
export function passedByOpening(terms: Terms): string[] {
  return sequenceOf(terms).flatMap(({ at, item }) => (gateOf(item).decided(terms) === true ? [at] : []));
}

/** False where no sequence of right answers leads in: some item asks for what is not enrolled. */
export function isPassable(terms: Terms): boolean {
  return terms.policy.gates.every((item) => canPass(terms, item));
}

/** The authenticators on which the handshake counts: asked for by one of its gates, and enrolled when it began. */
export function authenticatorsOf(terms: Terms): Enrolment[] {
  return sequenceOf(terms)
    .flatMap(({ item }) => gateOf(item).needs(item) ?? [])
    .filter((need) => isEnrolled(terms, need));
}

function canPass(terms: Terms, item: Item): boolean {
  if ("anyOf" in item) return item.anyOf.some((child) => canPass(terms, child));
  if ("allOf" in item) return item.allOf.every((child) => canPass(terms, child));
  const gate = gateOf(item);
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
    terms.policy.gates.every((item, index) => isSatisfied(item, `${index}`, passed)) && isEnrolledUsed(terms, passed)
  );
}

function isSatisfied(item: Item, at: string, passed: ReadonlySet<string>): boolean {
  if ("anyOf" in item) return item.anyOf.some((child, index) => isSatisfied(child, `${at}.${index}`, passed));
  if ("allOf" in item) return item.allOf.every((child, index) => isSatisfied(child, `${at}.${index}`, passed));
  return passed.has(at);
}

function isEnrolledUsed(terms: Terms, passed: ReadonlySet<string>): boolean {
  if (!mustUseEnrolled(terms)) return true;
  return sequenceOf(terms).some(
    ({ at, item }) => passed.has(at) && isMemberBound(item) && item.gate === enrolledItem.gate,
  );
}

/** The gates that may be answered now, in the order of the document; empty when the policy is complete. */
export function frontierOf(terms: Terms, passed: ReadonlySet<string>): PlacedGate[] {
  for (const [index, item] of terms.policy.gates.entries()) {
    if (!isSatisfied(item, `${index}`, passed)) return openGates(terms, item, `${index}`, passed);
  }
  return isEnrolledUsed(terms, passed) ? [] : [placed(enrolledAt, enrolledItem)];
}

/** Alternatives that cannot be passed are not offered: they would be a dead end. */
function openGates(terms: Terms, item: Item, at: string, passed: ReadonlySet<string>): PlacedGate[] {
  if (isSatisfied(item, at, passed) || !canPass(terms, item)) return [];
  if ("gate" in item) return [placed(at, item)];
  const children = "anyOf" in item ? item.anyOf : item.allOf;
  return children.flatMap((child, index) => openGates(terms, child, `${at}.${index}`, passed));
}
