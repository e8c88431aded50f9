import type { z } from "zod";
import type { Dialogue, Enrolment } from "../gate.ts";

/** One way to ask a question, told by the item's `kind`. */
export interface QuestionKind {
  /** The item as an owner writes it. */
  readonly document: z.ZodObject;
  /** The item as it is stored: every field present, discriminated by `kind`. */
  readonly stored: z.ZodObject;
  readonly dialogue: Dialogue;
  /** As of a gate. */
  prompt(item: { readonly gate: string }, cid: string): Readonly<Record<string, unknown>> | null;
  /** As of a gate. */
  readonly needs: Enrolment | null;
  /** As of a gate. */
  readonly restsOn: string | null;
  /** As of a gate. */
  readonly boundToConnection: boolean;
}
