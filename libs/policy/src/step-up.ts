import type { During } from "./during.ts";
import { onStepUpFailure } from "./on-failure.ts";
import type { Policy } from "./policy.ts";

/** The policy of one step-up: the rule's gates and nothing else, asked for in its order, with the attempts and the time of the policy that it stands in. */
export function stepUpPolicy({ rules, attempts, deadlines }: During, rule: number): Policy {
  const found = rules[rule];
  if (found === undefined) throw new RangeError("there is no such rule");
  return {
    before: { ticket: "optional" },
    gates: found.gates,
    mode: "prompted",
    onFailure: onStepUpFailure(attempts),
    deadlines,
    sessionMs: 1_000,
    messaging: { mode: "broadcast", maxBytes: 1, perSecond: 1, consumerPerSecond: 1, history: null },
    resumeMs: 0,
    origins: [],
    // Whether somebody without a name may be here was decided when they came.
    anonymous: true,
    encryption: { session: "none", endToEnd: "off", suite: "any" },
    during: [],
  };
}
