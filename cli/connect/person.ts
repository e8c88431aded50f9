import type { ChallengeCallback, Question, QuestionOption, Waiting, WaitingCallback } from "@portcullis/client";
import type { Authenticator } from "../../deploy/demo/authenticator.ts";
import { exitCodes, Sorry } from "../exit.ts";
import type { Terminal } from "../terminal.ts";
import { answerIdent, quoted } from "./ident.ts";
import type { Report } from "./report.ts";

/** The person said that they do not want to go on. */
export class GivenUp extends Error {
  override readonly name = "GivenUp";
}

/** Whoever sits at the terminal, as the gates meet them. */
export interface Person {
  readonly answer: ChallengeCallback;
  readonly waitFor: WaitingCallback;
  /** Aborted when they give up while nothing is asked; the reason says how. */
  readonly signal: AbortSignal;
  /** Nothing is asked any more. */
  leave(): void;
}

type Choice = Awaited<ReturnType<ChallengeCallback>>;

const triesMax = 3;
/** Before an answer is due, so that it still arrives. */
const answerMarginMs = 3_000;

const elsewhere: Readonly<Record<string, string>> = {
  link: "open the link that was sent",
  callback: "a service decides",
};

export function createPerson(options: {
  readonly code: string | undefined;
  readonly authenticator: Authenticator | null;
  readonly terminal: Terminal;
  readonly report: Report;
}): Person {
  const { code, authenticator, terminal, report } = options;
  const given = new AbortController();
  let waiting: Waiting | null = null;
  /** Ends what is asked beside a wait by link. */
  let beside: AbortController | null = null;
  let tries = 0;

  if (code === "auto" && authenticator === null)
    throw new Sorry(exitCodes.usage, "--code auto works for the demo socket only: the codes of another are on a phone");

  async function answer(question: Question): Promise<Choice> {
    endBeside();
    if (waysOf(question.options).length === 0)
      throw new Sorry(
        exitCodes.refused,
        "the socket has a gate that no person answers: question needs --answer-secret",
      );
    if (question.retry && question.gate === "ident") report.say("That was not it.");
    else if (question.retry) {
      const isElsewhere = question.waiting === null && waiting !== null && waiting.by !== "code";
      report.say(isElsewhere ? usedUp(waiting) : "That code was wrong, or it has been used: each one lets in once.");
    }
    if (question.waiting === null) {
      waiting = null;
      if (question.options.length > 1) return choose(question.options, question);
    }
    return question.waiting === null && question.ask?.waits === true ? pick(question) : codeOf(question);
  }

  async function choose(all: readonly QuestionOption[], question: Question): Promise<Choice> {
    const ways = waysOf(all);
    // A program, or --code, answers the first that it can.
    const byCode = ways.find(({ gate }) => gate === "otp");
    if (byCode !== undefined && (code !== undefined || !terminal.isPerson)) return codeOf({ ...question, ...byCode });
    const way = await chosenOf(ways, question.answerUntilMs, question.signal);
    if (way === null) return null;
    return way.ask?.waits === true ? pick(way) : codeOf({ ...question, ...way });
  }

  /** @returns null where no more is typed. @throws {GivenUp} */
  async function chosenOf(
    ways: readonly QuestionOption[],
    untilMs: number,
    signal: AbortSignal,
  ): Promise<QuestionOption | null> {
    const [only] = ways;
    if (only !== undefined && ways.length === 1) return only;
    for (const [index, way] of ways.entries()) report.say(`  ${index + 1}  ${nameOf(way)}`);
    for (;;) {
      const line = await terminal.ask(timed(`Which way, 1 to ${ways.length} (drop)`, untilMs), { signal });
      if (line === null) return null;
      if (line.trim() === "drop") throw new GivenUp("dropped");
      const way = ways[Number(line.trim()) - 1];
      if (way !== undefined) return way;
      report.say(`A number from 1 to ${ways.length}.`);
    }
  }

  async function codeOf(question: Question): Promise<Choice> {
    const { gate, at } = question;
    if (gate === "ident") {
      const value = await answerIdent(question, terminal, report.say, timed);
      if (value === "drop") throw new GivenUp("dropped");
      return typeof value === "string" ? { gate, at, value } : value;
    }
    tries = question.retry ? tries + 1 : 1;
    if (tries > triesMax) return null;
    if (gate === "otp" && code === "auto" && authenticator !== null)
      return { gate, at, value: await computed(authenticator, question) };
    if (gate === "otp" && code !== undefined) return question.retry ? null : { gate, at, value: code };
    return typed(question);
  }

  async function typed(question: Question): Promise<Choice> {
    const { gate, at, ask, details, attemptsLeft, signal, answerUntilMs } = question;
    const knowsCodes = gate === "otp" && authenticator !== null;
    const hasOthers = waysOf(question.options).length > 1;
    const words = [
      ...(knowsCodes ? ["auto to do without a phone"] : []),
      ...(question.waiting === null ? [] : ["resend"]),
      ...(hasOthers ? ["other"] : []),
      "drop",
    ];
    const choices = ask?.choices?.(details) ?? [];
    const shown = ask?.shown?.(details) ?? null;
    if (shown !== null) quoted(shown).forEach((line) => void report.say(line));
    if (choices.length > 0)
      quoted(...choices.map((choice, index) => `${index + 1} ${choice}`)).forEach((line) => void report.say(line));
    const title = `${ask?.title ?? "Answer"} (${Math.min(attemptsLeft, triesMax)} tries; ${words.join(", ")})`;
    for (;;) {
      const line = (await terminal.ask(timed(title, answerUntilMs), { signal, masked: true }))?.trim() ?? null;
      if (line === null) return null;
      if (line === "drop") throw new GivenUp("dropped");
      if (line === "auto" && knowsCodes) return { gate, at, value: authenticator.code(Date.now()) };
      if (line === "other" && hasOthers) return choose(question.options, question);
      const chosen = choices[Number(line) - 1];
      if (chosen !== undefined) return { gate, at, value: chosen };
      if (line === "resend" && question.waiting !== null) askForAnother();
      else if (choices.length > 0) report.say(`A number from 1 to ${choices.length}.`);
      else if (ask === null || new RegExp(`^(?:${ask.pattern})$`).test(ask.normalise(line)))
        return { gate, at, value: line };
      else report.say(ask.inputMode === "numeric" ? "A code is 6 digits." : "That is no answer.");
    }
  }

  /** A code that was refused is spent: its successor comes with the next time step. */
  async function computed(app: Authenticator, question: Question): Promise<string> {
    const nowMs = Date.now();
    if (!question.retry) return app.code(nowMs);
    const nextMs = app.nextStepMs(nowMs);
    // Where the question would run out first, the next code goes early: servers allow for clocks that differ by a step.
    const waitMs = Math.max(0, Math.min(nextMs, question.answerUntilMs - answerMarginMs) - nowMs);
    report.say(`Waiting ${Math.ceil(waitMs / 1_000)} s for the next code.`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    return app.code(nextMs);
  }

  function waitFor(now: Waiting): void {
    // The only way there is begins anew without a question.
    const isAnother = waiting?.at === now.at && waiting.number !== now.number;
    const isCounted = waiting?.details.given !== now.details.given;
    const isNews = isAnother || isCounted || waiting?.status !== now.status || waiting.at !== now.at;
    if (isAnother) report.say(usedUp(waiting));
    waiting = now;
    if (isNews) report.waiting(now);
    if (now.by !== "code" && beside === null) listenBeside().catch((reason: unknown) => given.abort(reason));
  }

  /** While somebody else has to act, there are still words to be typed. */
  async function listenBeside(): Promise<void> {
    beside = new AbortController();
    const { signal } = beside;
    while (!signal.aborted && waiting !== null) {
      const { by, options, number, untilMs } = waiting;
      const ways = waysOf(options);
      const words = [...(by === "link" ? ["resend"] : []), ...(ways.length > 1 ? ["other"] : []), "drop"];
      const shown = number === null ? "Waiting" : `Waiting, number ${number}`;
      const line = (await terminal.ask(timed(`${shown} (${words.join(", ")})`, untilMs), { signal }))?.trim() ?? null;
      if (line === null) return;
      if (line === "drop") throw new GivenUp("dropped");
      if (line === "resend") askForAnother();
      else if (line === "other" && ways.length > 1) await chooseBeside(ways, untilMs, signal);
      else if (line !== "") report.say(`Nothing is typed here: ${elsewhere[by] ?? "somebody else has to act"}.`);
    }
  }

  async function chooseBeside(ways: readonly QuestionOption[], untilMs: number, signal: AbortSignal): Promise<void> {
    const way = await chosenOf(ways, untilMs, signal);
    if (way === null) return;
    const { gate, at, ask } = way;
    if (ask?.waits === true) return waiting?.choose({ gate, at });
    const value = await terminal.ask(timed(ask?.title ?? "Answer", untilMs), { signal, masked: true });
    if (value !== null) waiting?.choose({ gate, at, value: ask?.normalise(value) ?? value });
  }

  function askForAnother(): void {
    const inMs = (waiting?.resendAtMs ?? Number.POSITIVE_INFINITY) - Date.now();
    if (waiting?.resendAtMs === null) report.say("No other message can be had now.");
    else if (inMs > 0) report.say(`Another message can be had in ${Math.ceil(inMs / 1_000)} s.`);
    else waiting?.resend();
  }

  function endBeside(): void {
    beside?.abort();
    beside = null;
  }

  return { answer, waitFor, signal: given.signal, leave: endBeside };
}

/** Those that a person can go. */
function waysOf(options: readonly QuestionOption[]): readonly QuestionOption[] {
  return options.filter(({ ask, details }) => ask !== null && ask.isForPerson?.(details) !== false);
}

function pick({ gate, at }: Pick<QuestionOption, "gate" | "at">): Choice {
  return { gate, at };
}

function nameOf({ gate, ask, details }: QuestionOption): string {
  return details.by === "link" ? `a link by ${gate}` : (ask?.title ?? gate);
}

/** The prompt, with the time that is left. */
function timed(title: string, untilMs: number): () => string {
  return () => {
    const left = Math.max(0, Math.ceil((untilMs - Date.now()) / 1_000));
    return `${title} ${Math.floor(left / 60)}:${`${left % 60}`.padStart(2, "0")} > `;
  };
}

/** Somebody typed too many wrong numbers, where that is not here. */
function usedUp(waiting: Waiting | null): string {
  return waiting?.by === "approval"
    ? "Too many wrong numbers were typed by those who could let you in."
    : "Too many wrong numbers were typed behind the link, which is used up.";
}
