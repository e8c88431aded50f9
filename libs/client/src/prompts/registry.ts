import { all } from "./all.ts";
import type { Prompt } from "./prompt.ts";

/** One for each gate that asks something. */
export const prompts = Object.freeze(all);

/** Null for a gate that this version does not know. */
export function promptOf(gate: string): Prompt | null {
  const known: Readonly<Record<string, Prompt>> = prompts;
  return Object.hasOwn(known, gate) ? (known[gate] ?? null) : null;
}
