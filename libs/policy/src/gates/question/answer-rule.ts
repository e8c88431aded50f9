/**
 * A secret rule by which a person picks words from a statement, by eye: up to eight steps, taken in order. Written with spaces between:
 *
 *     3     the third word                        -1    the last word, -2 the one before
 *     2+3   the second word and every third on    s*    the words that begin with s, in their order; there may be none
 *     =tea  the word tea, which is in no statement
 *
 * What the steps pick, with spaces between, is the answer.
 */
export interface AnswerRule {
  readonly steps: readonly Step[];
  /** The rule as it is stored and shown: lower case, one space between steps. */
  readonly text: string;
}

type Step =
  /** Counted from 1; below zero from the end. */
  | { readonly pick: "at"; readonly position: number }
  | { readonly pick: "every"; readonly from: number; readonly by: number }
  | { readonly pick: "initial"; readonly letter: string }
  | { readonly pick: "own"; readonly word: string };

/** Words of a statement. */
export const ruleWords = 16;
/** Of the rule's text in UTF-8. */
export const ruleBytesMax = 128;
const stepsMax = 8;
/** Steps that count, of those that say something in every statement: four of sixteen positions are 16 bits. */
const stepsMin = 4;
/** Of these, steps that pick from the statement: an answer that is always the same is a password. */
const picksMin = 2;

export const ruleHelp =
  "must be 4 to 8 steps with spaces between, each once: 3 (the third word), -1 (the last), 2+3 (the second and every third on), s* (words with s; in addition), =tea (a word of one's own); at least two of them pick by position, of 16 words";

/** @returns null for what is no rule, or one that is guessed too easily. */
export function readAnswerRule(written: string): AnswerRule | null {
  if (written.length > ruleBytesMax) return null;
  const words = written
    .normalize("NFKC")
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const text = words.join(" ");
  if (new TextEncoder().encode(text).length > ruleBytesMax) return null;
  if (words.length > stepsMax || new Set(words).size < words.length) return null;
  const steps: Step[] = [];
  for (const word of words) {
    const step = stepOf(word);
    if (step === null) return null;
    steps.push(step);
  }
  const picks = steps.filter(({ pick }) => pick === "at" || pick === "every").length;
  const own = steps.filter(({ pick }) => pick === "own").length;
  if (picks < picksMin || picks + own < stepsMin) return null;
  return { steps, text };
}

/** What the rule picks from a statement, normalised. */
export function answerByRule({ steps }: AnswerRule, statement: string): string {
  const words = statement.split(" ");
  return normaliseAnswer(steps.flatMap((step) => picked(step, words)).join(" "));
}

/** Case, commas and spaces are typing, not knowing. */
export function normaliseAnswer(typed: string): string {
  return typed
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

function stepOf(word: string): Step | null {
  const [, series, by] = /^([1-9]\d?)\+([1-9]\d?)$/.exec(word) ?? [];
  if (series !== undefined) return everyOf(Number(series), Number(by));
  const [, position] = /^(-?[1-9]\d?)$/.exec(word) ?? [];
  if (position !== undefined) {
    const at = Number(position);
    return Math.abs(at) <= ruleWords ? { pick: "at", position: at } : null;
  }
  const [, letter] = /^([a-z])\*$/.exec(word) ?? [];
  if (letter !== undefined) return { pick: "initial", letter };
  const [, own] = /^=([\p{L}\p{N}]{2,32})$/u.exec(word) ?? [];
  return own === undefined ? null : { pick: "own", word: own };
}

/** By one is no choice, and from so far behind that one word is left is a position. */
function everyOf(from: number, by: number): Step | null {
  return by >= 2 && from + by <= ruleWords ? { pick: "every", from, by } : null;
}

function picked(step: Step, words: readonly string[]): readonly string[] {
  switch (step.pick) {
    case "at":
      return [words.at(step.position > 0 ? step.position - 1 : step.position) ?? ""];
    case "every":
      return words.filter((_, index) => index + 1 >= step.from && (index + 1 - step.from) % step.by === 0);
    case "initial":
      return words.filter((word) => word.startsWith(step.letter));
    case "own":
      return [step.word];
  }
}
