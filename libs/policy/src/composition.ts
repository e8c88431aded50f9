import type { GateItem } from "./gates/registry.ts";
import type { Conditions } from "./when/conditions.ts";

export type Item = GateItem | Group;

/**
 * What items are put together with. `anyOf`: one of them. `allOf`: all of them, in any order. `distinct`: likewise, by different devices.
 * `when`: those of the branch that was taken when the handshake began, in their order.
 */
export type Group =
  | { readonly anyOf: readonly Item[] }
  | { readonly allOf: readonly Item[] }
  | { readonly distinct: readonly Item[] }
  | { readonly when: Conditions; readonly then: readonly Item[]; readonly else: readonly Item[] };

/** In the order in which they are looked at, and explained. */
export const itemKinds = ["gate", "anyOf", "allOf", "distinct", "when"] as const;

/** `both`: whether the conditions hold could not be told, and so each branch has to be passed. */
export const takes = ["then", "else", "both"] as const;
export type Take = (typeof takes)[number];

export interface Branch {
  /** Position of the `when`. */
  readonly at: string;
  readonly take: Take;
}

/** Which way a `when` went. One that nobody has decided has to be passed both ways. */
export function takenOf(branches: readonly Branch[]): (at: string) => Take {
  return (at) => branches.find((branch) => branch.at === at)?.take ?? "both";
}

export interface Part {
  /** Position: indices from the top, and below a `when` the branch: `1.0`, `2.then.0`. */
  readonly at: string;
  readonly item: Item;
}

/** A part that is a gate. */
export interface Leaf {
  readonly at: string;
  readonly item: GateItem;
}

/** What a group holds. @param take of a `when`; without it both of its branches */
export function partsOf(group: Group, at: string, take: Take = "both"): Part[] {
  const under = (items: readonly Item[], branch = "") =>
    items.map((item, index): Part => ({ at: `${at}.${branch}${index}`, item }));
  if ("anyOf" in group) return under(group.anyOf);
  if ("allOf" in group) return under(group.allOf);
  if ("distinct" in group) return under(group.distinct);
  return [
    ...(take === "else" ? [] : under(group.then, "then.")),
    ...(take === "then" ? [] : under(group.else, "else.")),
  ];
}

/** The same with the names that a document's path has: `gates.1.anyOf.0`. */
export function documentPartsOf(group: Group): { readonly path: readonly [string, number]; readonly item: Item }[] {
  const under = (name: string, items: readonly Item[]) =>
    items.map((item, index) => ({ path: [name, index] as const, item }));
  if ("anyOf" in group) return under("anyOf", group.anyOf);
  if ("allOf" in group) return under("allOf", group.allOf);
  if ("distinct" in group) return under("distinct", group.distinct);
  return [...under("then", group.then), ...under("else", group.else)];
}

export function topOf(items: readonly Item[]): Part[] {
  return items.map((item, index) => ({ at: `${index}`, item }));
}

/** Calls `visit` for each item, groups before what they hold, in the order of the document. @param takeOf which branches to enter */
export function visitParts(
  parts: readonly Part[],
  visit: (at: string, item: Item) => void,
  takeOf: (at: string) => Take = () => "both",
): void {
  for (const { at, item } of parts) {
    visit(at, item);
    if (!("gate" in item)) visitParts(partsOf(item, at, takeOf(at)), visit, takeOf);
  }
}
