import type { Advice, AdviceFacts } from "./advice/advice.ts";
import { adviceOf } from "./advice/mod.ts";
import type { Policy } from "./policy.ts";
import { type PolicyIssue, parsePolicy } from "./validate.ts";

/** Names of what makes a policy wrong, for programs. `invalid` is in the policy itself; the others are known to who has its socket. */
export const issueCodes = ["invalid", "no-such-webhook"] as const;

export interface PolicyFault extends PolicyIssue {
  readonly code: (typeof issueCodes)[number];
}

export type PolicyVerdict =
  | { readonly ok: true; readonly policy: Policy; readonly issues: readonly []; readonly advice: readonly Advice[] }
  | { readonly ok: false; readonly issues: readonly PolicyFault[]; readonly advice: readonly [] };

/** A policy as an owner wrote it: what is wrong with it, and what is right and weaker than it may look. Never throws. */
export function validatePolicy(document: unknown, facts: AdviceFacts = {}): PolicyVerdict {
  const parsed = parsePolicy(document);
  if (!parsed.ok) {
    const issues = parsed.issues.map((issue) => ({ code: "invalid" as const, ...issue }));
    return { ok: false, issues, advice: [] };
  }
  return { ok: true, policy: parsed.policy, issues: [], advice: adviceOf(parsed.policy, facts) };
}
