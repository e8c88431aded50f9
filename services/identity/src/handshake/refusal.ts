import type { Outcome } from "@portcullis/contracts";
import type { DenyCause, Policy } from "@portcullis/policy";

type Denied = Extract<Outcome, { say: "denied" }>;

/** What a connection gets that has proven nothing, and whoever is locked out: the same for every cause. */
export const bareDenial: Denied = { say: "denied", retryAfterMs: null, sealed: false };
export const denial: Denied = { say: "denied", retryAfterMs: null, sealed: true };
/** What somebody comes back to does not go on, and that is nobody's verdict. */
export const beginAnew: Denied = { ...denial, anew: true };

export interface Refused {
  readonly policy: Pick<Policy, "onFailure" | "deadlines">;
  readonly cause: DenyCause;
  /** The opening itself is answered; otherwise a record of a handshake under way. */
  readonly isOpening: boolean;
  /** Of `held`: until when, and whether that is a lockout. */
  readonly hold: { readonly isLockout: boolean; readonly untilMs: number } | null;
  readonly startedAtMs: number;
  readonly now: number;
}

/**
 * What whoever is refused hears, once their box has opened. A delay is told, because whoever waits for it is welcome. A lockout is not: at the opening it is the very frame that a wrong key gets,
 * later the one that too many failures get. Under `silence` nobody hears anything until their time is over.
 */
export function refusalOf({ policy, cause, isOpening, hold, startedAtMs, now }: Refused): Outcome {
  if (policy.onFailure.then === "silence" && cause !== "left" && cause !== "not-recognised")
    return { say: "silent", deadlineMs: Math.max(now + 1, startedAtMs + policy.deadlines.handshakeMs) };
  if (hold === null) return denial;
  if (hold.isLockout) return isOpening ? bareDenial : denial;
  return { ...denial, retryAfterMs: Math.max(1, hold.untilMs - now) };
}
