import { digits } from "./digits.ts";
import type { Prompt } from "./prompt.ts";

/** Asks for a code that was sent. */
export function sentCode(title: string): Prompt {
  return Object.freeze({
    title,
    inputMode: "numeric",
    autocomplete: "one-time-code",
    pattern: "[0-9]{6}",
    waits: true,
    normalise: digits,
  });
}
