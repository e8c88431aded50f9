import { z } from "zod";
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

/** Levels of nesting; a gate at the top is on level 1. */
export const depthMax = 4;
export const leavesMax = 32;
/** Gates that wait. A handshake begins no more waits than that: each may cost somebody a message. */
export const waitsMax = 8;

export type Item = GateItem | { readonly anyOf: readonly Item[] } | { readonly allOf: readonly Item[] };

/** A gate and its position: indices from the top, for example `1.0.2`. */
export interface PlacedGate {
  readonly at: string;
  readonly gate: GateName;
  readonly config: GateConfig;
}

/**
 * The schema of one level refers to the next and ends: nothing nests deeper than `depthMax`, whatever is sent, and no input
 * can exhaust the stack.
 */
function group<Child extends z.ZodType>(child: Child) {
  const children = z
    .array(child)
    .min(1, { error: "must hold at least one item" })
    .max(leavesMax, { error: `must hold at most ${leavesMax} items` });
  return [strict({ anyOf: children }), strict({ allOf: children })] as const;
}

function levels<Leaf extends z.ZodType>(leaf: Leaf) {
  const third = z.union([leaf, ...group(leaf)]);
  const second = z.union([leaf, ...group(third)]);
  return z.union([leaf, ...group(second)]);
}

function sequence<Leaf extends z.ZodType>(leaf: Leaf) {
  return z
    .array(levels(leaf))
    .min(1, { error: 'must hold at least one item; {"gate":"path"} says that the path is enough' })
    .max(leavesMax, { error: `must hold at most ${leavesMax} items` });
}

export const itemsDocument = sequence(gateDocument).check(({ value, issues }) => {
  for (const { path, message } of misplaced(value)) issues.push({ code: "custom", path, message, input: value });
});
export const itemsStored = sequence(gateStored).check(({ value, issues }) => {
  for (const { path, message } of misplaced(value)) issues.push({ code: "custom", path, message, input: value });
});

interface Misplaced {
  readonly path: (string | number)[];
  readonly message: string;
}

/** What a schema of single items cannot see: how many there are, and what stands where. */
function misplaced(items: readonly Item[]): Misplaced[] {
  const found: Misplaced[] = [];
  let leaves = 0;
  let waits = 0;
  const walk = (item: Item, path: (string | number)[], opening: "first" | "opening" | "later") => {
    if ("gate" in item) {
      leaves += 1;
      const { place } = gateOf(item);
      if (dialogueOf(item) === "waits") waits += 1;
      if (place === "first" && opening !== "first")
        found.push({ path: [...path, "gate"], message: `${item.gate} may only be the first item` });
      if (place === "opening" && opening === "later")
        found.push({ path: [...path, "gate"], message: `${item.gate} may only stand at the top, first or after path` });
      return;
    }
    const [name, children] = "anyOf" in item ? (["anyOf", item.anyOf] as const) : (["allOf", item.allOf] as const);
    for (const [index, child] of children.entries()) walk(child, [...path, name, index], "later");
  };
  let opening: "first" | "opening" | "later" = "first";
  for (const [index, item] of items.entries()) {
    walk(item, [index], opening);
    opening = "gate" in item && gateOf(item).place === "first" ? "opening" : "later";
  }
  if (leaves > leavesMax) found.push({ path: [], message: `must hold at most ${leavesMax} gates in all` });
  if (waits > waitsMax) found.push({ path: [], message: `must hold at most ${waitsMax} gates that wait for somebody` });
  return found;
}

/** Calls `visit` for each gate, in the order of the document. */
export function visitGates(items: readonly Item[], visit: (at: string, item: GateItem) => void, under = ""): void {
  for (const [index, item] of items.entries()) {
    const at = `${under}${index}`;
    if ("gate" in item) visit(at, item);
    else visitGates("anyOf" in item ? item.anyOf : item.allOf, visit, `${at}.`);
  }
}

export function placed(at: string, item: GateItem): PlacedGate {
  return { at, gate: item.gate, config: configOf(item) };
}
