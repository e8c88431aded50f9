import type { Item } from "./composition.ts";
import { isDistinct } from "./distinct.ts";
import type { Enrolment } from "./gates/gate.ts";
import { gateOf, isPlayable } from "./gates/registry.ts";
import { gatesIn } from "./items.ts";
import type { Policy } from "./policy.ts";

/**
 * The policy of a handshake that leads into a decoy: what can be asked for without anybody real. Nothing is asked for again in the session. Where nothing
 * else is left, whoever is there is let in by what they came with.
 */
export function playable(policy: Policy): Policy {
  const gates = policy.gates.flatMap(cut);
  return { ...policy, gates: gates.length === 0 ? [{ gate: "path" }] : gates, during: [] };
}

/** What has to be enrolled so that each of its gates can be asked for. */
export function needsOf({ gates }: Pick<Policy, "gates">): Enrolment[] {
  return gatesIn(gates).flatMap((item) => gateOf(item).needs(item) ?? []);
}

/** One item, or none. */
function cut(item: Item): Item[] {
  if ("gate" in item) return isPlayable(item) ? [item] : [];
  if ("anyOf" in item) {
    const anyOf = item.anyOf.flatMap(cut);
    return anyOf.length === 0 ? [] : [{ anyOf }];
  }
  if ("when" in item) {
    const [then, otherwise] = [item.then.flatMap(cut), item.else.flatMap(cut)];
    return then.length + otherwise.length === 0 ? [] : [{ when: item.when, then, else: otherwise }];
  }
  if ("allOf" in item) {
    const allOf = item.allOf.flatMap(cut);
    return allOf.length === 0 ? [] : [{ allOf }];
  }
  const distinct = item.distinct.flatMap(cut);
  // What is left may rest on one device, by which nobody could pass it.
  const isPassable = distinct.length > 1 && isDistinct({ at: "", item: { distinct }, takeOf: () => null }, () => true);
  if (isPassable) return [{ distinct }];
  return distinct.length === 0 ? [] : [{ allOf: distinct }];
}
