import type { PlacedGate } from "../items.ts";
import type { Policy } from "../policy.ts";
import type { Ways } from "../ways.ts";

/** `info`: worth knowing. `warning`: weaker than it may look. `danger`: hardly what was meant. */
export const severities = ["info", "warning", "danger"] as const;
export type Severity = (typeof severities)[number];

/** Names of what is said, for programs. */
export const adviceCodes = [
  "discoverable",
  "nobody-asked",
  "holder-only",
  "messages-only",
  "readers-get-in",
  "email-no-authenticator",
  "sms-restricted",
  "fatigue",
  "captcha-no-human",
  "question-no-person",
  "rule-observed",
  "jwt-bearer",
  "ident-nobody",
  "approval-no-proof",
  "relay",
  "same-device",
  "same-phone",
  "claimed-name",
  "relaxed",
  "many-attempts",
  "lockout-keyless",
  "answer-short",
  "answer-long",
  "wait-short",
  "handshake-long",
  "ident-early",
  "not-sealed",
  "history-unsealed",
  "suite-any",
  "end-to-end-optional",
  "end-to-end-broadcast",
  "not-enrolled",
] as const;
export type AdviceCode = (typeof adviceCodes)[number];

export interface Advice {
  readonly code: AdviceCode;
  readonly severity: Severity;
  /** The place: `gates.1.0`, or a field. */
  readonly path: string;
  readonly message: string;
}

/** What is known besides the policy. */
export interface AdviceFacts {
  /** Gates for which the socket itself has something enrolled. Absent: not known. */
  readonly socketEnrolled?: readonly string[] | undefined;
}

export interface Look {
  readonly policy: Policy;
  readonly facts: AdviceFacts;
  /** Every gate, in all branches. */
  readonly gates: readonly PlacedGate[];
  readonly ways: Ways;
}

/** One thing to look for. */
export type Rule = (look: Look) => readonly Advice[];

export function advice(code: AdviceCode, severity: Severity, path: string, message: string): Advice {
  return { code, severity, path, message };
}
