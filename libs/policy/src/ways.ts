import { type Branch, type Leaf, type Part, partsOf, topOf } from "./composition.ts";
import { type GateItem, gateOf, restsOn } from "./gates/registry.ts";
import { beforeOf, type Policy } from "./policy.ts";

/** Gates that are enough together, in order, where these branches were taken. None of them can be left out. */
export interface Way {
  readonly branches: readonly Branch[];
  readonly steps: readonly Leaf[];
}

export interface Ways {
  readonly ways: readonly Way[];
  /** There are others. */
  readonly more: boolean;
}

/** Ways that are told; a policy of 32 gates can have thousands. */
export const waysMax = 100;
/** Looked at on the way there, so that what is left out costs no time. */
const lookedAtMax = 200;

type Walked = Pick<Policy, "gates"> & Partial<Pick<Policy, "before">>;

function partsThrough(policy: Walked): readonly Part[] {
  return [...beforeOf(policy), ...topOf(policy.gates)];
}

/** All ways through a policy, what people have enrolled left aside. */
export function waysThrough(policy: Walked): Ways {
  const bounded = { more: false, only: () => true };
  const least = leastOf(sequence(partsThrough(policy), bounded));
  return { ways: least.slice(0, waysMax), more: bounded.more || least.length > waysMax };
}

/**
 * Ways on which there are only such gates, some of which could do with less. That there is none is certain, also where there are more ways than are looked
 * at (but for a `distinct` that has so many itself).
 */
export function waysWith(policy: Walked, only: (item: GateItem) => boolean): readonly Way[] {
  return sequence(partsThrough(policy), { more: false, only });
}

/** Devices without which it does not work, each once. */
export function devicesOf({ steps }: Way): string[] {
  return [...new Set(steps.flatMap(({ item }) => restsOn(item) ?? []))];
}

/** What the client has to do something for, opening and address left out. */
export function asked({ steps }: Way): Leaf[] {
  return steps.filter(({ item }) => !isOpening(item));
}

/** Decided by the opening itself: nobody is asked. */
export function isOpening(item: GateItem): boolean {
  return gateOf(item).place !== "anywhere";
}

interface Bounded {
  more: boolean;
  readonly only: (item: GateItem) => boolean;
}

function through({ at, item }: Part, bounded: Bounded): Way[] {
  if ("gate" in item) return bounded.only(item) ? [{ branches: [], steps: [{ at, item }] }] : [];
  if ("anyOf" in item)
    return cut(
      partsOf(item, at).flatMap((part) => through(part, bounded)),
      bounded,
    );
  if ("distinct" in item) return sequence(partsOf(item, at), bounded).filter(isDistinctWay);
  if (!("when" in item)) return sequence(partsOf(item, at), bounded);
  const both = (["then", "else"] as const).flatMap((take) =>
    sequence(partsOf(item, at, take), bounded).map((way) => ({ ...way, branches: [{ at, take }, ...way.branches] })),
  );
  return cut(both, bounded);
}

function sequence(parts: readonly Part[], bounded: Bounded): Way[] {
  let ways: Way[] = [{ branches: [], steps: [] }];
  for (const part of parts) {
    const next = through(part, bounded);
    ways = cut(
      ways.flatMap((way) =>
        next.map(({ branches, steps }) => ({
          branches: [...way.branches, ...branches],
          steps: [...way.steps, ...steps],
        })),
      ),
      bounded,
    );
  }
  return ways;
}

function cut(ways: Way[], bounded: Bounded): Way[] {
  if (ways.length <= lookedAtMax) return ways;
  bounded.more = true;
  return ways.slice(0, lookedAtMax);
}

function isDistinctWay({ steps }: Way): boolean {
  const devices = steps.flatMap(({ item }) => restsOn(item) ?? []);
  return new Set(devices).size === devices.length;
}

/** Those of which none is enough wherever another is. Of two that are the same the first one stays. */
function leastOf(ways: readonly Way[]): Way[] {
  const bits = numbering();
  const branchBits = numbering();
  const masked = ways.map((way) => ({
    way,
    // A policy has at most 32 gates.
    steps: way.steps.reduce((mask, { at }) => mask | Number(BigInt.asIntN(32, bits(at))), 0),
    branches: way.branches.reduce((mask, { at, take }) => mask | branchBits(`${at} ${take}`), 0n),
  }));
  type Masked = (typeof masked)[number];
  const isLess = (one: Masked, other: Masked, isBefore: boolean) => {
    if (one === other || (one.steps & ~other.steps) !== 0 || (one.branches & ~other.branches) !== 0n) return false;
    return one.steps !== other.steps || one.branches !== other.branches || isBefore;
  };
  return masked
    .filter((way, index) => !masked.some((other, place) => isLess(other, way, place < index)))
    .map(({ way }) => way);
}

function numbering(): (name: string) => bigint {
  const bits = new Map<string, bigint>();
  return (name) => {
    const bit = bits.get(name) ?? 1n << BigInt(bits.size);
    bits.set(name, bit);
    return bit;
  };
}
