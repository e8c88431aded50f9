import { type Group, type Leaf, type Part, partsOf, type Take } from "./composition.ts";
import { type GateItem, restsOn } from "./gates/registry.ts";

/** Gates within one `distinct`: there are fewer devices than that. */
export const distinctMax = 12;

/**
 * Whether some of the gates that are available satisfy every part, each of them by a device of its own. What rests on no device
 * (a proof of work) is in nobody's way.
 *
 * It goes up the tree with sets of devices, as bits, each of which satisfies what lies below. There are at most `distinctMax` gates, and so at most 3^4 sets.
 *
 * @param device of a gate: its bit; 0 where it needs none; null where it is not available
 * @param takeOf the branch of a `when`; null: either of them will do
 */
function deviceSetsThrough(
  parts: readonly Part[],
  device: (leaf: Leaf) => number | null,
  takeOf: (at: string) => Take | null,
): ReadonlySet<number> {
  return parts.map((part) => deviceSetsOf(part, device, takeOf)).reduce(together, new Set([0]));
}

function deviceSetsOf(
  { at, item }: Part,
  device: (leaf: Leaf) => number | null,
  takeOf: (at: string) => Take | null,
): ReadonlySet<number> {
  if ("gate" in item) {
    const bit = device({ at, item });
    return new Set(bit === null ? [] : [bit]);
  }
  const through = (take?: Take) => deviceSetsThrough(partsOf(item, at, take), device, takeOf);
  if ("anyOf" in item) return new Set(partsOf(item, at).flatMap((part) => [...deviceSetsOf(part, device, takeOf)]));
  if (!("when" in item)) return through();
  const take = takeOf(at);
  return take === null ? new Set([...through("then"), ...through("else")]) : through(take);
}

function together(some: ReadonlySet<number>, others: ReadonlySet<number>): ReadonlySet<number> {
  const found = new Set<number>();
  for (const one of some) for (const other of others) if ((one & other) === 0) found.add(one | other);
  return found;
}

function numbering(): (item: GateItem) => number {
  const bits = new Map<string, number>();
  return (item) => {
    const device = restsOn(item);
    if (device === null) return 0;
    const bit = bits.get(device) ?? 1 << bits.size;
    bits.set(device, bit);
    return bit;
  };
}

export interface DistinctGroup {
  readonly at: string;
  readonly item: Extract<Group, { readonly distinct: unknown }>;
  readonly takeOf: (at: string) => Take | null;
}

/** Whether these gates are enough, one device for each. */
export function isDistinct({ at, item, takeOf }: DistinctGroup, available: (leaf: Leaf) => boolean): boolean {
  const bitOf = numbering();
  return deviceSetsThrough(partsOf(item, at), (leaf) => (available(leaf) ? bitOf(leaf.item) : null), takeOf).size > 0;
}

/** Whether what was passed can be part of a way through that goes on with gates that are available. */
export function canGoOn(
  { at, item, takeOf }: DistinctGroup,
  passed: readonly Leaf[],
  available: (leaf: Leaf) => boolean,
): boolean {
  const bitOf = numbering();
  let used = 0;
  for (const { item: gate } of passed) {
    const bit = bitOf(gate);
    if ((used & bit) !== 0) return false;
    used |= bit;
  }
  const isPassed = new Set(passed.map((leaf) => leaf.at));
  const device = (leaf: Leaf) => {
    if (isPassed.has(leaf.at)) return 0;
    const bit = bitOf(leaf.item);
    return available(leaf) && (used & bit) === 0 ? bit : null;
  };
  return deviceSetsThrough(partsOf(item, at), device, takeOf).size > 0;
}
