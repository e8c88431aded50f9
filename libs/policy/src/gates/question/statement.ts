/** A statement, and which of its words are asked for. */
export interface Excerpt {
  /** Twelve words with spaces between. */
  readonly statement: string;
  /** Three of them, counted from 1, ascending. */
  readonly positions: readonly number[];
}

/** Sixty-four words that nobody mistakes for one another when they are read aloud. */
const words = (
  "amber anchor apple arrow badge basin birch bridge candle canyon cedar circle clover copper coral cotton " +
  "desert dragon eagle ember falcon feather forest garden ginger glacier harbor hazel hollow island ivory jasmine " +
  "jungle kettle ladder lantern lemon lizard maple marble meadow mirror nectar needle ocean olive orchid pebble " +
  "pepper planet quartz rabbit raven river saddle silver spider sunset temple thunder tulip velvet walnut willow"
).split(" ");

const wordsOfStatement = 12;
const asked = 3;

/**
 * The excerpt that belongs to a challenge. It comes from the challenge's id (128 random bits, used once) and holds no secret: what
 * proves something is the HMAC over it. Whoever judges the answer makes it again, and nothing has to be kept.
 */
export function excerptOf(cid: string): Excerpt {
  const at = (index: number) => bitsOf(cid.charCodeAt(index % cid.length));
  const statement = Array.from({ length: wordsOfStatement }, (_, index) => words[at(index)]).join(" ");
  const left = Array.from({ length: wordsOfStatement }, (_, index) => index + 1);
  const positions: number[] = [];
  for (let index = 0; index < asked; index += 1) {
    const [position = 0] = left.splice(at(wordsOfStatement + index) % left.length, 1);
    positions.push(position);
  }
  return { statement, positions: positions.sort((a, b) => a - b) };
}

/** The words that are asked for, as they are answered: with spaces between. Empty where the question makes no sense. */
export function choiceOf({ statement, positions }: Excerpt): string {
  const all = statement.split(" ");
  return positions.flatMap((position) => all[position - 1] ?? []).join(" ");
}

/** Of a base64url character its six bits; of any other, some six bits. */
function bitsOf(code: number): number {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const value = alphabet.indexOf(String.fromCharCode(code));
  return value < 0 ? code % alphabet.length : value;
}
