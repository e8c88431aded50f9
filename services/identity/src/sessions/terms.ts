import { endToEndMode, messagingMode } from "@portcullis/contracts";
import { duringOf, duringSchema, type Policy } from "@portcullis/policy";
import { z } from "zod";

/** What a policy lets an accepted session do. Stored with it: a later policy is for later sessions. */
export const terms = z.strictObject({
  mode: messagingMode,
  maxBytes: z.number().int(),
  perSecond: z.number().int(),
  consumerPerSecond: z.number().int(),
  sealed: z.boolean(),
  endToEnd: endToEndMode,
  history: z.strictObject({ messages: z.number().int(), ms: z.number().int() }).nullable(),
  /** 0: its connection cannot be replaced. */
  resumeMs: z.number().int(),
  /** Messages go through `keys`, which gives each its place. */
  placed: z.boolean(),
  /** What is asked for again; null: nothing. */
  during: duringSchema.nullable(),
});
export type Terms = z.infer<typeof terms>;

export function termsOf(policy: Policy): Terms {
  const { messaging, encryption, resumeMs } = policy;
  const { mode, maxBytes, perSecond, consumerPerSecond, history } = messaging;
  const { endToEnd } = encryption;
  const sealed = encryption.session === "required";
  const during = duringOf(policy);
  const hasDecoy = policy.onFailure.then === "decoy";
  // What a directory is asked, and what is said of a body that is not sealed, is between `keys` and the client. Where there are decoys, `keys` has to see what real traffic looks like, and a decoy's has to go where it is written down.
  const placed = sealed || endToEnd !== "off" || history !== null || mode === "consumer" || during !== null || hasDecoy;
  return { mode, maxBytes, perSecond, consumerPerSecond, sealed, endToEnd, history, resumeMs, placed, during };
}

/** Whether messages travel so differently that sessions of both kinds would not hear each other, or one kind may say what the other must not. */
export function areApart(one: Terms, other: Terms): boolean {
  return (
    one.mode !== other.mode ||
    one.sealed !== other.sealed ||
    one.endToEnd !== other.endToEnd ||
    one.placed !== other.placed ||
    JSON.stringify(one.history) !== JSON.stringify(other.history)
  );
}
