import type { Prompt } from "./prompt.ts";

/** A service decides; nothing is typed here. */
export const external: Prompt = Object.freeze({
  title: "Decided by another service",
  inputMode: "text",
  autocomplete: "off",
  pattern: ".*",
  waits: true,
  normalise: (value: string) => value,
});
