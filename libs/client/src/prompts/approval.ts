import { digits } from "./digits.ts";
import type { Prompt } from "./prompt.ts";

/** Nothing is typed here: people of the socket type the number that is shown. */
export const approval: Prompt = Object.freeze({
  title: "Be let in by somebody of the socket",
  inputMode: "numeric",
  autocomplete: "off",
  pattern: "[0-9]{3}",
  waits: true,
  normalise: digits,
});
