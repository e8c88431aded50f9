import type { Policy } from "@portcullis/policy";
import { z } from "zod";

/** What a policy lets an accepted session do. Stored with it: a later policy is for later sessions. */
export const terms = z.strictObject({
  maxBytes: z.number().int(),
  perSecond: z.number().int(),
  sealed: z.boolean(),
  history: z.strictObject({ messages: z.number().int(), ms: z.number().int() }).nullable(),
  /** 0: its connection cannot be replaced. */
  resumeMs: z.number().int(),
});
export type Terms = z.infer<typeof terms>;

export function termsOf({ messaging, encryption, resumeMs }: Policy): Terms {
  const { maxBytes, perSecond, history } = messaging;
  return { maxBytes, perSecond, sealed: encryption.session === "required", history, resumeMs };
}

/** Whether messages travel so differently that sessions of both kinds would not hear each other. */
export function areApart(one: Terms, other: Terms): boolean {
  return one.sealed !== other.sealed || JSON.stringify(one.history) !== JSON.stringify(other.history);
}
