import { digits } from "./digits.ts";
import type { Prompt } from "./prompt.ts";

export const otp: Prompt = Object.freeze({
  title: "Code from your authenticator app",
  inputMode: "numeric",
  autocomplete: "one-time-code",
  pattern: "[0-9]{6,8}",
  waits: false,
  normalise: digits,
});
