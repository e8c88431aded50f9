import { z } from "zod";

/** What was asked of a session, and what of it holds. */
export const stepUpsSchema = z.strictObject({
  /** How many were begun. */
  begun: z.number().int().nonnegative(),
  /**
   * For each rule, epoch ms. An interval: when it is due. A demand: when it was made. A class of messages: until when it is covered. Null:
   * never, and not yet.
   */
  atMs: z.array(z.number().int().nullable()).max(8),
  /** The last one: a handshake, for which rule, and when it ends as a whole. */
  current: z
    .strictObject({ id: z.string(), rule: z.number().int(), byMs: z.number().int(), isOpen: z.boolean() })
    .nullable(),
  /** When one was passed last. */
  lastAtMs: z.number().int().nullable(),
});
export type StepUps = z.infer<typeof stepUpsSchema>;
