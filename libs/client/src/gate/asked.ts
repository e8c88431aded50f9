import type { Server } from "../question.ts";
import type { QuestionOption } from "../question-option.ts";
import type { Waiting } from "../waiting.ts";

/** What is asked of the person, at a question and beside a wait alike. */
export interface Asked {
  readonly option: QuestionOption;
  readonly server: Server;
  /** True: the answer before this, to this option, was wrong. */
  readonly retry: boolean;
  readonly attemptsLeft: number;
  readonly untilMs: number;
  /** The message in which the code is that is asked for. */
  readonly waiting: Waiting | null;
  readonly hasOthers: boolean;
  readonly solve: (option: QuestionOption) => Promise<string> | null;
  readonly signal: AbortSignal;
}
