import { z } from "zod";
import { documentPartsOf, type Group, type Item, partsOf, type Take, topOf, visitParts } from "./composition.ts";
import { distinctMax, isDistinct } from "./distinct.ts";
import {
  configOf,
  dialogueOf,
  type GateConfig,
  type GateItem,
  type GateName,
  gateDocument,
  gateOf,
  gateStored,
} from "./gates/registry.ts";
import { strict } from "./strict.ts";
import { conditionsDocument, conditionsStored } from "./when/conditions.ts";

/** Levels of nesting; a gate at the top is on level 1. */
export const depthMax = 4;
export const leavesMax = 32;
/** Questions that a program of the owner's makes, each for every challenge that asks it. */
export const programsMax = 3;
/** Gates that wait. A handshake begins no more waits than that: each may cost somebody a message. */
export const waitsMax = 8;

export type { Item };

/** A gate and its position: indices from the top, for example `1.0.2` or `2.then.0`. */
export interface PlacedGate {
  readonly at: string;
  readonly gate: GateName;
  readonly config: GateConfig;
}

interface Form<Conditions extends z.ZodType> {
  readonly conditions: Conditions;
  /** Whether an `else` may be left out. */
  readonly short: boolean;
}

/**
 * The schema of one level refers to the next and ends: nothing nests deeper than `depthMax`, whatever is sent, and no input
 * can exhaust the stack.
 */
function group<Child extends z.ZodType, Conditions extends z.ZodType>(
  child: Child,
  { conditions, short }: Form<Conditions>,
) {
  const upTo = { error: `must hold at most ${leavesMax} items` };
  const children = z.array(child).min(1, { error: "must hold at least one item" }).max(leavesMax, upTo);
  const atLeastTwo = z.array(child).min(2, { error: "must hold at least two items" }).max(leavesMax, upTo);
  const branch = z.array(child).max(leavesMax, upTo);
  return [
    strict({ anyOf: children }),
    strict({ allOf: children }),
    strict({ distinct: atLeastTwo }),
    strict({ when: conditions, then: branch, else: short ? branch.default([]) : branch }),
  ] as const;
}

function levels<Leaf extends z.ZodType, Conditions extends z.ZodType>(leaf: Leaf, form: Form<Conditions>) {
  const third = z.union([leaf, ...group(leaf, form)]);
  const second = z.union([leaf, ...group(third, form)]);
  return z.union([leaf, ...group(second, form)]);
}

function sequence<Leaf extends z.ZodType, Conditions extends z.ZodType>(leaf: Leaf, form: Form<Conditions>) {
  return z
    .array(levels(leaf, form))
    .min(1, { error: 'must hold at least one item; {"gate":"path"} says that the path is enough' })
    .max(leavesMax, { error: `must hold at most ${leavesMax} items` });
}

export const itemsDocument = sequence(gateDocument, { conditions: conditionsDocument, short: true }).check(
  ({ value, issues }) => {
    for (const { path, message } of misplaced(value)) issues.push({ code: "custom", path, message, input: value });
  },
);
export const itemsStored = sequence(gateStored, { conditions: conditionsStored, short: false }).check(
  ({ value, issues }) => {
    for (const { path, message } of misplaced(value)) issues.push({ code: "custom", path, message, input: value });
  },
);

interface Misplaced {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What a schema of single items cannot see: how many there are, and what stands where. */
function misplaced(items: readonly Item[]): Misplaced[] {
  const found: Misplaced[] = [];
  let leaves = 0;
  let waits = 0;
  let programs = 0;
  const walk = (item: Item, path: (string | number)[], opening: "first" | "opening" | "later") => {
    if ("gate" in item) {
      leaves += 1;
      const { place } = gateOf(item);
      if (dialogueOf(item) === "waits") waits += 1;
      else if ("webhook" in item) programs += 1;
      if (place === "first" && opening !== "first")
        found.push({ path: [...path, "gate"], message: `${item.gate} may only be the first item` });
      if (place === "opening" && opening === "later")
        found.push({ path: [...path, "gate"], message: `${item.gate} may only stand at the top, first or after path` });
      return;
    }
    const parts = documentPartsOf(item);
    if ("when" in item && parts.length === 0)
      found.push({ path: [...path, "then"], message: "must hold at least one item" });
    if ("distinct" in item) found.push(...indistinct(item, [...path, "distinct"]));
    for (const part of parts) walk(part.item, [...path, ...part.path], "later");
  };
  let opening: "first" | "opening" | "later" = "first";
  for (const [index, item] of items.entries()) {
    walk(item, [index], opening);
    opening = "gate" in item && gateOf(item).place === "first" ? "opening" : "later";
  }
  if (leaves > leavesMax) found.push({ path: [], message: `must hold at most ${leavesMax} gates in all` });
  if (programs > programsMax)
    found.push({ path: [], message: `must hold at most ${programsMax} questions of kind custom` });
  if (waits > waitsMax) found.push({ path: [], message: `must hold at most ${waitsMax} gates that wait for somebody` });
  return found;
}

/** A combination that nobody could ever pass is a mistake of who wrote it. */
function indistinct(item: Extract<Group, { readonly distinct: unknown }>, path: (string | number)[]): Misplaced[] {
  let count = 0;
  const decided: string[] = [];
  visitParts(partsOf(item, ""), (_at, one) => {
    if (!("gate" in one)) return;
    count += 1;
    // It has passed or failed before anybody picks a device, and would take the place of what was picked.
    if (gateOf(one).decided({ keyId: null, ticket: false }) !== null) decided.push(one.gate);
  });
  const [first] = decided;
  if (first !== undefined)
    return [{ path, message: `${first} may not stand in distinct: it is decided by the opening` }];
  if (count > distinctMax) return [{ path, message: `must hold at most ${distinctMax} gates` }];
  if (isDistinct({ at: "", item, takeOf: () => null }, () => true)) return [];
  return [{ path, message: "can never be passed: two of its gates rest on the same device, whichever way is taken" }];
}

/** Calls `visit` for each gate, in the order of the document. @param takeOf which branches of a `when` to enter */
export function visitGates(
  items: readonly Item[],
  visit: (at: string, item: GateItem) => void,
  takeOf?: (at: string) => Take,
): void {
  visitParts(
    topOf(items),
    (at, item) => {
      if ("gate" in item) visit(at, item);
    },
    takeOf,
  );
}

/** The gates of these items and of what lies below them, in the order of the document. */
export function gatesIn(items: readonly Item[]): GateItem[] {
  const found: GateItem[] = [];
  visitGates(items, (_at, item) => found.push(item));
  return found;
}

export function placed(at: string, item: GateItem): PlacedGate {
  return { at, gate: item.gate, config: configOf(item) };
}
