import { z } from "zod";
import { duration, milliseconds } from "./duration.ts";
import { integer, strict } from "./strict.ts";
import { isNetwork } from "./when/network.ts";

/**
 * What whoever fails meets. `deny`: they are told so. `lockout`: likewise, and after so many failures in a row nothing of theirs is looked at for a while. `silence`:
 * they never hear anything again. `decoy`: once their free tries are spent they are let into a room that looks like the socket and leads nowhere.
 */
export const failures = ["deny", "lockout", "silence", "decoy"] as const;
export type Failure = (typeof failures)[number];

const then = z.enum(failures);
const attempts = integer(1, 10);
const free = integer(1, 100);
const work = integer(0, 100);
const after = integer(1, 100);
const trustedMax = 64;
const networkError = "must be an IP address or a network such as 10.0.0.0/8 or 2001:db8::/32";
const trusted = z
  .array(z.string({ error: networkError }).max(64, { error: networkError }).refine(isNetwork, { error: networkError }))
  .max(trustedMax, { error: `must hold at most ${trustedMax} networks` });

export const onFailureDocument = strict({
  attempts: attempts.default(3),
  then: then.default("deny"),
  free: free.default(5),
  work: work.default(5),
  delay: strict({ first: duration("1s", "1h").prefault("30s"), max: duration("1s", "24h").prefault("1h") }).prefault(
    {},
  ),
  lockout: strict({ after: after.default(20), for: duration("1m", "720h").prefault("24h") }).optional(),
  trusted: trusted.default([]),
})
  .check(({ value: { then, free, work, delay, lockout }, issues }) => {
    const refuse = (path: string[], message: string, input: unknown) =>
      issues.push({ code: "custom", path, message, input });
    if (delay.max < delay.first) refuse(["delay", "max"], "must not be shorter than delay.first", delay.max);
    if (lockout === undefined) return;
    if (then !== "lockout") refuse(["lockout"], 'belongs to then: "lockout"', lockout);
    else if (lockout.after <= free + work)
      refuse(
        ["lockout", "after"],
        "must be more than free and work together: the price comes before the lockout",
        lockout.after,
      );
  })
  .transform(
    ({ delay, lockout, ...same }): OnFailure => ({
      ...same,
      delay: { firstMs: delay.first, maxMs: delay.max },
      lockout: same.then === "lockout" ? wholeLockout(same, lockout) : null,
    }),
  );

export const onFailureStored = strict({
  attempts,
  then,
  free,
  work,
  delay: strict({ firstMs: milliseconds("1s", "1h"), maxMs: milliseconds("1s", "24h") }),
  // As long as the price may take, and one more.
  lockout: strict({ after: integer(1, 201), forMs: milliseconds("1m", "720h") }).nullable(),
  trusted,
});

export interface OnFailure {
  /** Failures with which one handshake ends. */
  readonly attempts: number;
  readonly then: Failure;
  /** Failures in a row that cost nothing. */
  readonly free: number;
  /** Those behind them, each of which has to be paid for with a proof of work. Behind these each costs a delay. */
  readonly work: number;
  /** Doubles with each failure. */
  readonly delay: { readonly firstMs: number; readonly maxMs: number };
  /** Null: there is none. */
  readonly lockout: { readonly after: number; readonly forMs: number } | null;
  /** Networks (CIDR) from which nothing is held against anybody. */
  readonly trusted: readonly string[];
}

const lockoutDefault = { after: 20, for: 24 * 3_600_000 };

function wholeLockout(
  { free, work }: Pick<OnFailure, "free" | "work">,
  written: { readonly after: number; readonly for: number } | undefined,
): NonNullable<OnFailure["lockout"]> {
  const { after, for: forMs } = written ?? {
    ...lockoutDefault,
    after: Math.max(lockoutDefault.after, free + work + 1),
  };
  return { after, forMs };
}

/** Of a step-up: nobody is held up there, whoever fails it is put out. */
export function onStepUpFailure(attempts: number): OnFailure {
  return {
    attempts,
    then: "deny",
    free: 100,
    work: 0,
    delay: { firstMs: 1_000, maxMs: 1_000 },
    lockout: null,
    trusted: [],
  };
}
