import { messagingMode } from "@portcullis/contracts";
import type { Policy } from "@portcullis/policy";
import { z } from "zod";

/** What a policy lets an accepted session do. Stored with it: a later policy is for later sessions. */
export const terms = z.strictObject({
  mode: messagingMode,
  maxBytes: z.number().int(),
  perSecond: z.number().int(),
  consumerPerSecond: z.number().int(),
  sealed: z.boolean(),
  history: z.strictObject({ messages: z.number().int(), ms: z.number().int() }).nullable(),
  /** 0: its connection cannot be replaced. */
  resumeMs: z.number().int(),
});
export type Terms = z.infer<typeof terms>;

export function termsOf({ messaging, encryption, resumeMs }: Policy): Terms {
  const { mode, maxBytes, perSecond, consumerPerSecond, history } = messaging;
  return { mode, maxBytes, perSecond, consumerPerSecond, sealed: encryption.session === "required", history, resumeMs };
}

/** Whether messages travel so differently that sessions of both kinds would not hear each other. */
export function areApart(one: Terms, other: Terms): boolean {
  if (one.mode !== other.mode || one.sealed !== other.sealed) return true;
  return JSON.stringify(one.history) !== JSON.stringify(other.history);
}
