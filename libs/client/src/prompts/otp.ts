import type { Prompt } from "./prompt.ts";

export const otp: Prompt = Object.freeze({
  title: "Code from your authenticator app",
  inputMode: "numeric",
  autocomplete: "one-time-code",
  pattern: "[0-9]{6,8}",
  // Apps show the code in groups; keyboards of some languages type full-width digits.
  normalise: (value: string) => value.normalize("NFKC").replace(/[\s-]/g, ""),
});
