import { type Challenge, limits } from "@portcullis/protocol";
import { PortcullisError } from "./errors.ts";
import type { Prompt } from "./prompts/prompt.ts";
import { promptOf } from "./prompts/registry.ts";

type Eventually<T> = T | PromiseLike<T>;

/** One way on. */
export interface QuestionOption {
  readonly gate: string;
  /** Where in the policy the gate stands: two options may have the same gate. */
  readonly at: string;
  /** What the server says about it; the gate defines it (docs/protocol.md section 9). */
  readonly details: Readonly<Record<string, unknown>>;
  /** What to ask a person; null for a gate that this version has no words for. */
  readonly ask: Prompt | null;
}

/** What the server wants to know now. */
export interface Question extends QuestionOption {
  /** All the ways on, this one included. */
  readonly options: readonly QuestionOption[];
  /** True: the answer before this was wrong. */
  readonly retry: boolean;
  /** Wrong answers that may still come. */
  readonly attemptsLeft: number;
  /** Epoch milliseconds by our clock. */
  readonly answerUntilMs: number;
  readonly server: Server;
  /** Aborted when no answer is wanted any more. */
  readonly signal: AbortSignal;
}

export interface Server {
  readonly fingerprint: string;
  /** False only with `unpinned: "allow"`: nobody knows whose server this is. */
  readonly pinned: boolean;
  readonly edge: string;
}

/** @returns the answer, or null to give up. */
export type AnswerCallback = (question: Question) => Eventually<string | null>;

/** @returns the answer and, unless it is to the question's first option, which one it answers; or null to give up. */
export type ChallengeCallback = (
  question: Question,
) => Eventually<{ readonly value: string; readonly gate?: string; readonly at?: string } | null>;

export interface Reply {
  readonly gate: string;
  readonly at: string;
  readonly value: string;
}

export interface Answering {
  readonly answers: Readonly<Record<string, AnswerCallback>>;
  readonly onChallenge: ChallengeCallback | undefined;
  readonly server: Server;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/**
 * Asks the application: the first option that it has a callback for, else its general callback.
 *
 * @returns null where the person gives up.
 * @throws {PortcullisError} `unsupported` where nobody can answer; `cancelled` with what a callback threw as its cause.
 */
export async function askApplication(challenge: Challenge, answering: Answering): Promise<Reply | null> {
  const { answers, onChallenge, server, nowMs, signal } = answering;
  const options = challenge.options.map(
    ({ gate, at, prompt }): QuestionOption => ({ gate, at, details: prompt ?? {}, ask: promptOf(gate) }),
  );
  const { retry, attemptsLeft, answerMs } = challenge;
  const questionOf = (option: QuestionOption): Question => {
    return { ...option, options, retry, attemptsLeft, answerUntilMs: nowMs + answerMs, server, signal };
  };
  try {
    for (const option of options) {
      const callback = Object.hasOwn(answers, option.gate) ? answers[option.gate] : undefined;
      if (callback === undefined) continue;
      const value = await callback(questionOf(option));
      return value === null ? null : replyOf(option, value);
    }
    const [first] = options;
    if (onChallenge === undefined || first === undefined) throw new PortcullisError("unsupported");
    const chosen = await onChallenge(questionOf(first));
    if (chosen === null) return null;
    const option = options.find(({ gate, at }) => (chosen.gate ?? gate) === gate && (chosen.at ?? at) === at);
    if (option === undefined) throw new TypeError("The answer is to none of the options.");
    return replyOf(option, chosen.value);
  } catch (error) {
    if (error instanceof PortcullisError) throw error;
    throw new PortcullisError("cancelled", { cause: error });
  }
}

function replyOf({ gate, at, ask }: QuestionOption, value: string): Reply {
  if (typeof value !== "string") throw new TypeError("An answer is a text, or null.");
  const normal = ask === null ? value : ask.normalise(value);
  if (normal.length > limits.answerChars) throw new PortcullisError("too-large");
  if (!normal.isWellFormed()) throw new TypeError("An answer must be well-formed.");
  return { gate, at, value: normal };
}
