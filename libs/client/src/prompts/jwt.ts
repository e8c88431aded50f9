import type { Prompt } from "./prompt.ts";

/** A token of the owner's identity provider, which the application has; `details` say whose, and for which audience. */
export const jwt: Prompt = Object.freeze({
  title: "Token of your identity provider",
  inputMode: "text",
  autocomplete: "off",
  pattern: "[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+",
  waits: false,
  normalise: (value: string) => value.trim(),
});
