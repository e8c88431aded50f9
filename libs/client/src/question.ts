import { type Challenge, limits } from "@portcullis/protocol";
import { ofCallback, PortcullisError } from "./errors.ts";
import type { Known } from "./prompts/prompt.ts";
import { optionOf, type QuestionOption } from "./question-option.ts";
import type { Waiting } from "./waiting.ts";

type Eventually<T> = T | PromiseLike<T>;

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
  /** The message in which the code is that is asked for; null at a gate that does not wait. */
  readonly waiting: Waiting | null;
  /**
   * Answers one of the options without a person, as it is done by itself unless `automatic` is false; null where it has not what that takes. A
   * passkey asks the person each time.
   */
  readonly solve: (option: QuestionOption) => Promise<string> | null;
  /** Aborted when no answer is wanted any more. */
  readonly signal: AbortSignal;
}

export interface Server {
  readonly fingerprint: string;
  /** False only with `unpinned: "allow"`: nobody knows whose server this is. */
  readonly pinned: boolean;
  /**
   * The pinned fingerprint, where the server has another key since and the pinned one says so; else null. Keep `fingerprint` as the new pin then (`withPin`): the word of the old key
   * counts for a while only.
   */
  readonly successorOf: string | null;
  /** Six words of its key, worked out here; to be compared with what the person has from elsewhere. */
  readonly words: string;
  /** The key as a picture of 9 lines, likewise. */
  readonly randomart: readonly string[];
  readonly edge: string;
}

/** Says that the person did not recognise the server: the handshake ends, and the owner of the socket is told. */
export const notRecognised: unique symbol = Symbol("not recognised");

/** @returns the answer, or null to give up. */
export type AnswerCallback = (question: Question) => Eventually<string | null | typeof notRecognised>;

/**
 * @returns the answer and, unless it is to the question itself, which option it answers; or null to give up. Without a value it picks
 * a gate that waits: the message is sent, and then what it says is asked for.
 */
export type ChallengeCallback = (
  question: Question,
) => Eventually<
  { readonly value?: string; readonly gate?: string; readonly at?: string } | null | typeof notRecognised
>;

export interface Reply {
  readonly gate: string;
  readonly at: string;
  /** Null: the gate is picked, and answered later. */
  readonly value: string | null;
  /** What is sent for it, where that depends on the connection. */
  readonly prove?: ((where: { readonly th: Uint8Array; readonly cid: string }) => Promise<string>) | undefined;
}

export interface Answering {
  readonly answers: Readonly<Record<string, AnswerCallback>>;
  readonly onChallenge: ChallengeCallback | undefined;
  /** Whether somebody shows the number that a link asks for. */
  readonly showsWaits: boolean;
  /** Answers without a person; null where it cannot. */
  readonly solve: (option: QuestionOption) => Promise<string> | null;
  /** Whether that is done without asking anybody. */
  readonly automatic: boolean;
  readonly server: Server & Known;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

type Asked = Pick<Challenge, "retry" | "attemptsLeft" | "answerMs">;

/**
 * Asks the application: the first option that it can answer, else its general callback.
 *
 * @returns null where the person gives up.
 * @throws {PortcullisError} `unsupported` where nobody can answer; `cancelled` with what a callback threw as its cause.
 */
export async function askApplication(
  options: readonly QuestionOption[],
  asked: Asked,
  answering: Answering,
): Promise<Reply | null> {
  const { answers, onChallenge, showsWaits, solve, automatic } = answering;
  return guarded(async () => {
    for (const option of options) {
      const { gate, at, ask, details } = option;
      const callback = callbackOf(answers, gate);
      const found = callback === undefined && automatic ? solve(option) : null;
      if (found !== null) return { gate, at, value: await found };
      // Nothing is answered to what is done elsewhere, so that there is no callback for it. Where there are other ways, it is for somebody to choose.
      const isElsewhere = ask?.waits === true && details.by !== "code";
      const isPicked =
        isElsewhere && (showsWaits || details.by === "callback") && (options.length === 1 || onChallenge === undefined);
      if (ask?.waits === true && (callback !== undefined || isPicked)) return { gate, at, value: null };
      if (callback !== undefined)
        return fitting(answering, async (again) => {
          const value = await callback(questionOf(option, options, again(asked), answering));
          return { option, value };
        });
    }
    return askGenerally(options[0], options, asked, answering, null);
  });
}

/** Asks for the code of a message that is on its way. */
export async function askForCode(waiting: Waiting, asked: Asked, answering: Answering): Promise<Reply | null> {
  const { gate, at, options } = waiting;
  const option = options.find((each) => each.at === at) ?? optionOf({ gate, at });
  return guarded(async () => {
    const callback = callbackOf(answering.answers, gate);
    if (callback === undefined) return askGenerally(option, options, asked, answering, waiting);
    return fitting(answering, async (again) => {
      const value = await callback(questionOf(option, options, again(asked), answering, waiting));
      return { option, value };
    });
  });
}

async function askGenerally(
  first: QuestionOption | undefined,
  options: readonly QuestionOption[],
  asked: Asked,
  answering: Answering,
  waiting: Waiting | null,
): Promise<Reply | null> {
  const { onChallenge } = answering;
  if (first === undefined) throw new PortcullisError("unsupported");
  if (onChallenge === undefined) {
    const { gate } = first;
    const message = `Nothing answers ${gate}: give answers.${gate} or onChallenge.`;
    throw new PortcullisError("unsupported", { message });
  }
  return fitting(answering, async (again) => {
    const chosen = await onChallenge(questionOf(first, options, again(asked), answering, waiting));
    return chosen === null || chosen === notRecognised
      ? { option: first, value: chosen }
      : choiceOf(chosen, first, options);
  });
}

type Chosen = Exclude<Awaited<ReturnType<ChallengeCallback>>, null | typeof notRecognised>;

function choiceOf(chosen: Chosen, first: QuestionOption, options: readonly QuestionOption[]): Given {
  const isNamed = chosen.gate !== undefined || chosen.at !== undefined;
  const fits = ({ gate, at }: QuestionOption) => (chosen.gate ?? gate) === gate && (chosen.at ?? at) === at;
  const option = isNamed ? [first, ...options].find(fits) : first;
  if (option === undefined) throw new TypeError("The answer is to none of the options.");
  if (chosen.value !== undefined) return { option, value: chosen.value };
  if (option.ask?.waits !== true) throw new TypeError("Only a gate that waits is picked without an answer.");
  return { option, value: null, isPicked: true };
}

interface Given {
  readonly option: QuestionOption;
  readonly value: string | null | typeof notRecognised;
  /** It is answered later. */
  readonly isPicked?: boolean;
}

const triesMax = 3;

/**
 * Asks again where the answer cannot be right: nothing of it is sent, and a slip of the finger alarms nobody.
 *
 * @throws {PortcullisError} `not-recognised` where the person says so, or it was never right
 */
async function fitting(
  { server }: Answering,
  ask: (again: (asked: Asked) => Asked) => Promise<Given>,
): Promise<Reply | null> {
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const { option, value, isPicked } = await ask((asked) => ({ ...asked, retry: asked.retry || tries > 1 }));
    if (value === notRecognised) break;
    if (isPicked === true) return { gate: option.gate, at: option.at, value: null };
    if (value === null || typeof value !== "string" || option.ask?.fits?.(value, option.details, server) !== false)
      return replyOf(option, value);
  }
  throw new PortcullisError("not-recognised");
}

function questionOf(
  option: QuestionOption,
  options: readonly QuestionOption[],
  { retry, attemptsLeft, answerMs }: Asked,
  { server, nowMs, solve, signal }: Answering,
  waiting: Waiting | null = null,
): Question {
  return { ...option, options, retry, attemptsLeft, answerUntilMs: nowMs + answerMs, server, waiting, solve, signal };
}

function callbackOf(answers: Answering["answers"], gate: string): AnswerCallback | undefined {
  return Object.hasOwn(answers, gate) ? answers[gate] : undefined;
}

async function guarded(ask: () => Promise<Reply | null>): Promise<Reply | null> {
  try {
    return await ask();
  } catch (thrown) {
    throw ofCallback(thrown);
  }
}

/** What is sent for an answer. */
export function replyOf(option: QuestionOption, value: string): Reply;
export function replyOf(option: QuestionOption, value: string | null): Reply | null;
export function replyOf({ gate, at, ask, details }: QuestionOption, value: string | null): Reply | null {
  if (value === null) return null;
  if (typeof value !== "string") throw new TypeError(`The answer to ${gate} is neither a text nor null.`);
  const normal = ask === null ? value : ask.normalise(value);
  if (normal.length > limits.answerChars) throw new PortcullisError("too-large");
  if (!normal.isWellFormed()) throw new TypeError("An answer must be well-formed.");
  const { prove } = ask ?? {};
  if (prove === undefined) return { gate, at, value: normal };
  return { gate, at, value: normal, prove: (where) => prove(normal, { details, ...where }) };
}
