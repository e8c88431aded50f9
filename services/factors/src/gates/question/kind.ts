import type { Gate } from "../gate.ts";

/** One way to ask a question and to judge the answer, told by the item's `kind`. */
export type QuestionKind = Pick<Gate, "prepare" | "verify">;
