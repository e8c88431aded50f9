import type { Outcome } from "@portcullis/contracts";
import type { Challenge, Wait } from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";

/** A question as the client reads it, before it is let in and while its session lives. */
export function asked(
  clock: Clock,
  n: number,
  outcome: Extract<Outcome, { say: "challenge" | "wait" }>,
): Challenge | Wait {
  const leftMs = (byMs: number) => Math.max(0, byMs - clock());
  const { cid, attemptsLeft, retry } = outcome;
  const same = { n, cid, attemptsLeft, answerMs: leftMs(outcome.answerByMs), retry };
  if (outcome.say === "challenge") {
    const options = outcome.options.map(({ at, gate, prompt }) =>
      prompt === null ? { at, gate } : { at, gate, prompt },
    );
    return { ...same, t: "challenge", options };
  }
  const { at, gate, prompt, status, resendAtMs } = outcome;
  const resendMs = resendAtMs === null ? null : leftMs(resendAtMs);
  return { ...same, t: "wait", at, gate, prompt, status, resendMs };
}
