/** What has been proven by the time that a gate is reached, read from the policy alone. */
import { documentPartsOf, type Item } from "./composition.ts";
import { gateOf } from "./gates/registry.ts";

/** Whether nobody reaches this position without an app key and a gate that is bound to the member. */
export function isBehindProof(gates: readonly Item[], at: string): boolean {
  const before = gates.slice(0, Number(at.split(".", 1)[0]));
  return before.some((item) => "gate" in item && item.gate === "key") && before.some(provesMember);
}

/** Whether every way through shows who the member is. */
function provesMember(item: Item): boolean {
  if ("gate" in item) {
    const { needs, bindsMember, provesNobody } = gateOf(item);
    return provesNobody !== true && (needs(item)?.of === "member" || bindsMember === true);
  }
  if ("anyOf" in item) return item.anyOf.every(provesMember);
  if ("allOf" in item) return item.allOf.some(provesMember);
  if ("distinct" in item) return item.distinct.some(provesMember);
  return item.then.some(provesMember) && item.else.some(provesMember);
}

export interface Unfit {
  /** In the document, as of a schema's issues. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Gates that stand where they cannot be asked, or too often. */
export function unfitIn(gates: readonly Item[]): Unfit[] {
  const found: Unfit[] = [];
  const times = new Map<string, number>();
  const walk = (item: Item, path: readonly (string | number)[], at: string) => {
    if (!("gate" in item)) {
      for (const part of documentPartsOf(item)) walk(part.item, [...path, ...part.path], at);
      return;
    }
    const { behindProof, timesMax = Number.POSITIVE_INFINITY } = gateOf(item);
    const count = (times.get(item.gate) ?? 0) + 1;
    times.set(item.gate, count);
    if (behindProof?.(item) === true && !isBehindProof(gates, at)) {
      const message = "must stand behind `key` and, on every way to it, a gate that only the member passes";
      found.push({ path: [...path, "gate"], message });
    }
    if (count === timesMax + 1)
      found.push({ path: [...path, "gate"], message: `may stand in a policy ${timesMax} times at most` });
  };
  for (const [index, item] of gates.entries()) walk(item, [index], `${index}`);
  return found;
}
