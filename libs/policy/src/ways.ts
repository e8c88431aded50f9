import { type Branch, type Part, partsOf, topOf } from "./composition.ts";
import { type GateItem, gateOf, restsOn } from "./gates/registry.ts";
import type { Policy } from "./policy.ts";

export interface Step {
  readonly at: string;
  readonly item: GateItem;
}

/** Gates that are enough together, in order, where these branches were taken. None of them can be left out. */
export interface Way {
  readonly branches: readonly Branch[];
  readonly steps: readonly Step[];
}

export interface Ways {
  readonly ways: readonly Way[];
  /** There are others. */
  readonly more: boolean;
}

/** Ways that are told; a policy of 32 gates can have thousands. */
export const waysMax = 200;
/** Looked at on the way there, so that what is left out costs no time. */
const lookedAtMax = 1_000;

/**
 * All ways through a policy, what people have enrolled left aside.
 *
 * @param only gates that may be on them. That there is none among more than are looked at is then certain as well, but for `distinct`.
 */
export function waysThrough(
  { gates, before }: Pick<Policy, "gates"> & Partial<Pick<Policy, "before">>,
  only: (item: GateItem) => boolean = () => true,
): Ways {
  const bounded = { more: false, only };
  const first: Part[] = before?.ticket === "required" ? [{ at: "before.ticket", item: { gate: "ticket" } }] : [];
  const all = sequence([...first, ...topOf(gates)], bounded);
  const least = leastOf(all);
  return { ways: least.slice(0, waysMax), more: bounded.more || least.length > waysMax };
}

/** Devices without which it does not work, each once. */
export function devicesOf({ steps }: Way): string[] {
  return [...new Set(steps.flatMap(({ item }) => restsOn(item) ?? []))];
}

/** What the client has to do something for, opening and address left out. */
export function asked({ steps }: Way): Step[] {
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
  const masked = ways.map(({ steps, branches }) => ({
    steps: steps.reduce((mask, { at }) => mask | bits(at), 0n),
    branches: branches.reduce((mask, { at, take }) => mask | bits(`${at} ${take}`), 0n),
  }));
  return ways.filter((_, index) => {
    const way = masked[index];
    return (
      way !== undefined &&
      !masked.some((other, place) => {
        if (place === index || (other.steps & ~way.steps) !== 0n || (other.branches & ~way.branches) !== 0n)
          return false;
        return other.steps !== way.steps || other.branches !== way.branches || place < index;
      })
    );
  });
}

function numbering(): (name: string) => bigint {
  const bits = new Map<string, bigint>();
  return (name) => {
    const bit = bits.get(name) ?? 1n << BigInt(bits.size);
    bits.set(name, bit);
    return bit;
  };
}
