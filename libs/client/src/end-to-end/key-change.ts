import { fingerprintWords } from "@portcullis/crypto/words";

/** Somebody has another identity than was known. */
export interface KeyChange {
  /** Name in the directory, or of the member. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Six words of `to`, to be compared with whoever it is said to be. */
  readonly words: string;
  /** True: the known identity has signed that the other follows it. False: nobody has; nothing is sealed to it. */
  readonly vouched: boolean;
}

/** Must not throw. */
export type KeyChangeCallback = (change: KeyChange) => void;

export function tellChange(callback: KeyChangeCallback | undefined, change: Omit<KeyChange, "words">): void {
  try {
    callback?.({ ...change, words: fingerprintWords(change.to) });
  } catch {
    // A listener that throws is its own problem.
  }
}
