import { type Branch, type Item, type Take, takenOf, topOf, visitParts } from "../composition.ts";
import { type Conditions, type Risk, risks } from "./conditions.ts";
import { liesIn } from "./network.ts";
import { liesWithin } from "./time.ts";

/** What a `when` is decided by. Absent: not known, which is another thing than null. */
export interface Circumstances {
  /** The name that was claimed; null: none. */
  readonly member?: string | null | undefined;
  /** Of the client. */
  readonly address?: string | undefined;
  /** Of the client's network. */
  readonly risk?: Risk | undefined;
}

/**
 * Decides every `when` once, when the handshake begins: what the clock, the network or the policy do later asks for nothing else. Where it cannot be told
 * whether the conditions hold, both branches have to be passed: whoever makes something unknown must not have an easier way for it.
 */
export function branchesOf(items: readonly Item[], given: Circumstances, now: number): Branch[] {
  const found: Branch[] = [];
  visitParts(topOf(items), (at, item) => {
    if ("when" in item) found.push({ at, take: takeOf(item.when, given, now) });
  });
  return found;
}

/**
 * Whether each `when` on the way that was taken would go the same way here and now. Not what lies beside that way: nobody was let off, or asked for,
 * anything by it.
 *
 * @param branches as they were decided
 */
export function staysOnItsWay(
  items: readonly Item[],
  branches: readonly Branch[],
  given: Circumstances,
  now: number,
): boolean {
  const taken = takenOf(branches);
  let stays = true;
  visitParts(
    topOf(items),
    (at, item) => {
      if ("when" in item && takeOf(item.when, given, now) !== taken(at)) stays = false;
    },
    taken,
  );
  return stays;
}

/** Whether somebody has to know the risk before the handshake begins. */
export function needsRisk({ gates }: { readonly gates: readonly Item[] }): boolean {
  let needs = false;
  visitParts(topOf(gates), (_at, item) => {
    needs ||= "when" in item && item.when.risk !== undefined;
  });
  return needs;
}

export function takeOf(conditions: Conditions, given: Circumstances, now: number): Take {
  const judged = [
    isMember(conditions.member, given.member),
    conditions.network === undefined ? true : isIn(conditions.network, given.address),
    conditions.time === undefined ? true : liesWithin(now, conditions.time),
    isRisk(conditions.risk, given.risk),
  ];
  if (judged.includes(false)) return "else";
  return judged.includes(null) ? "both" : "then";
}

function isMember(wanted: Conditions["member"], claimed: Circumstances["member"]): boolean | null {
  if (wanted === undefined) return true;
  if (claimed === undefined) return null;
  if ("not" in wanted) return claimed === null || !wanted.not.includes(claimed);
  return claimed !== null && wanted.includes(claimed);
}

function isIn(networks: readonly string[], address: string | undefined): boolean | null {
  return address === undefined ? null : liesIn(address, networks);
}

/** `low`: no more than that. `raised` and `high`: at least that, so that what is asked at `raised` is not dropped at `high`. */
function isRisk(wanted: Conditions["risk"], found: Risk | undefined): boolean | null {
  if (wanted === undefined) return true;
  if (found === undefined) return null;
  return wanted === "low" ? found === "low" : risks.indexOf(found) >= risks.indexOf(wanted);
}
