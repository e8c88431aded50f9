import { leavesOf, type Policy } from "../policy.ts";
import { waysThrough } from "../ways.ts";
import { type Advice, type AdviceFacts, type Rule, severities } from "./advice.ts";
import { claimedName, relaxed } from "./conditions.ts";
import { sameDevice, samePhone } from "./devices.ts";
import { identEarly, identWorth, manyAttempts, misreadGates, notEnrolled, relay } from "./gates.ts";
import { email, fatigue, messagesOnly, sms } from "./messages.ts";
import { discoverable, openDoor } from "./opening.ts";
import { lockoutKeyless } from "./penalties.ts";
import { deadlines, endToEnd, sealing, suites } from "./terms.ts";

/** Everything that is looked for. Another rule is its function, its code, and its line here. */
const rules: readonly Rule[] = [
  discoverable,
  openDoor,
  messagesOnly,
  relay,
  claimedName,
  relaxed,
  sameDevice,
  samePhone,
  email,
  sms,
  fatigue,
  misreadGates,
  identEarly,
  identWorth,
  manyAttempts,
  lockoutKeyless,
  notEnrolled,
  deadlines,
  sealing,
  suites,
  endToEnd,
];

/** More would not be read. */
export const adviceMax = 64;

/**
 * What is allowed and weaker than it may look, the gravest first. Said to the owner together with the policy, never a reason to refuse it.
 */
export function adviceOf(policy: Policy, facts: AdviceFacts = {}): Advice[] {
  const look = { policy, facts, gates: leavesOf(policy), ways: waysThrough(policy) };
  const found = rules.flatMap((rule) => rule(look));
  const grave = ({ severity }: Advice) => severities.indexOf(severity);
  return found.toSorted((a, b) => grave(b) - grave(a)).slice(0, adviceMax);
}
