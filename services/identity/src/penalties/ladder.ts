import { type OnFailure, type Policy, requiresKey } from "@portcullis/policy";
import type { Subject } from "./subjects.ts";

/** What failing costs under a policy. */
export interface Rules {
  readonly onFailure: OnFailure;
  /** Whoever offers their credentials is asked nothing, and so for no work either. */
  readonly isAsked: boolean;
  readonly requiresKey: boolean;
}

export function rulesOf(policy: Policy): Rules {
  return { onFailure: policy.onFailure, isAsked: policy.mode === "prompted", requiresKey: requiresKey(policy) };
}

/** The steps of it for one subject. Infinity: it never comes to that. */
export interface Ladder {
  /** Failures that cost nothing. */
  readonly free: number;
  /** Those that cost a proof of work at most: behind these each waits. */
  readonly open: number;
  readonly lockoutAfter: number;
  readonly lockoutMs: number;
  readonly delay: OnFailure["delay"];
}

/**
 * Nobody without a key locks anybody out, neither a member nor those who share their network. They hold up at most whom they share a network with,
 * and a member never who is not there.
 */
export function ladderOf({ onFailure, isAsked, requiresKey: keyed }: Rules, subject: Subject): Ladder {
  const { free, work, delay, lockout } = onFailure;
  const waits = keyed || subject.network !== null;
  const locks = keyed && lockout !== null;
  const paid = isAsked ? work : 0;
  const open = waits ? free + paid : Number.POSITIVE_INFINITY;
  return {
    // What nobody is asked for, nobody can be made to pay.
    free: paid > 0 ? free : open,
    open,
    lockoutAfter: locks ? lockout.after : Number.POSITIVE_INFINITY,
    lockoutMs: lockout?.forMs ?? 0,
    delay,
  };
}

export interface Length {
  readonly isLockout: boolean;
  readonly ms: number;
}

/** @param nth of the failures behind those that cost no wait, from 1 */
export function holdLength({ open, lockoutAfter, lockoutMs, delay }: Ladder, nth: number): Length {
  if (open + nth >= lockoutAfter) return { isLockout: true, ms: lockoutMs };
  return { isLockout: false, ms: Math.min(delay.maxMs, delay.firstMs * 2 ** Math.min(nth - 1, 32)) };
}
