import type { z } from "zod";
import { itemKinds } from "./composition.ts";
import { depthMax } from "./items.ts";
import { type Policy, policyDocumentSchema } from "./policy.ts";

/** `path` names the field (`gates.1.gate`, empty for the whole document), `message` what is allowed there. */
export interface PolicyIssue {
  readonly path: string;
  readonly message: string;
}

export type ParsedPolicy =
  | { readonly ok: true; readonly policy: Policy }
  | { readonly ok: false; readonly issues: readonly PolicyIssue[] };

/** More would not be read. */
export const issuesMax = 50;
const keyCharsMax = 64;

/** Reads a policy as an owner wrote it. Never throws; every problem is reported (at most 50). Values are not repeated. */
export function parsePolicy(input: unknown): ParsedPolicy {
  const parsed = policyDocumentSchema.safeParse(input);
  if (parsed.success) return { ok: true, policy: parsed.data };
  const issues = parsed.error.issues.flatMap((issue) => explain(issue, [], input));
  return { ok: false, issues: issues.slice(0, issuesMax) };
}

type Path = readonly PropertyKey[];

function explain(issue: z.core.$ZodIssue, under: Path, input: unknown): PolicyIssue[] {
  const path = [...under, ...issue.path];
  const value = at(input, path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ path: written([...path, key]), message: issue.message }));
    case "invalid_union":
      // What kind of a gate it is: its schema says which there are.
      if (path.at(-1) === "kind") return [{ path: written(path), message: issue.message }];
      // Only items have alternatives that need explaining; elsewhere the schema says what is allowed.
      return isItemAt(path) ? explainItem(issue, path, input) : [{ path: written(path), message: issue.message }];
    case "invalid_value":
      return [{ path: written(path), message: `allowed: ${issue.values.map(String).join(", ")}` }];
    case "invalid_type": {
      if (issue.message.startsWith("must ")) return [{ path: written(path), message: issue.message }];
      const found = value === undefined ? "is missing" : "is something else";
      return [{ path: written(path), message: `${found}; expected ${issue.expected}` }];
    }
    default:
      return [{ path: written(path), message: issue.message }];
  }
}

/** Below an item there are unions of other kinds, which say themselves what is allowed. */
function isItemAt(path: Path): boolean {
  if (path[0] !== "gates" && path[2] !== "gates") return false;
  const [name, last] = path.slice(-2);
  if (last === "gate") return true;
  return typeof last === "number" && ["gates", "anyOf", "allOf", "distinct", "then", "else"].includes(String(name));
}

/** A union reports what is wrong with each of its options; only the one that was meant helps. */
function explainItem(issue: z.core.$ZodIssueInvalidUnion, path: Path, input: unknown): PolicyIssue[] {
  const isGate = path.at(-1) === "gate";
  const itemPath = isGate ? path.slice(0, -1) : path;
  const item = at(input, itemPath);
  if (typeof item !== "object" || item === null || Array.isArray(item))
    return [{ path: written(itemPath), message: `must be an object with one of: ${itemKinds.join(", ")}` }];
  const kinds = itemKinds.filter((kind) => Object.hasOwn(item, kind));
  const [kind] = kinds;
  if (kind === undefined || kinds.length > 1)
    return [{ path: written(itemPath), message: `must have exactly one of: ${itemKinds.join(", ")}` }];
  if (isGate) {
    if (kind === "gate") return [{ path: written(path), message: issue.message }];
    return [{ path: written(itemPath), message: `must be a gate: items nest at most ${depthMax} deep` }];
  }
  const meant = issue.errors[itemKinds.indexOf(kind)] ?? [];
  return meant.flatMap((inner) => explain(inner, path, input));
}

function at(input: unknown, path: Path): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = Reflect.get(value, key);
  }
  return value;
}

function written(path: Path): string {
  return path.map((key) => String(key).slice(0, keyCharsMax)).join(".");
}
