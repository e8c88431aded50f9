import { call } from "./call.ts";
import { captcha } from "./captcha.ts";
import { email } from "./email.ts";
import { ident } from "./ident.ts";
import { jwt } from "./jwt.ts";
import { otp } from "./otp.ts";
import { passkey } from "./passkey.ts";
import type { Prompt } from "./prompt.ts";
import { question } from "./question.ts";
import { sms } from "./sms.ts";

/** One entry for each gate that asks something: a new gate is a new file and a new line here. */
export const prompts = Object.freeze({
  otp,
  email,
  sms,
  call,
  question,
  passkey,
  captcha,
  jwt,
  ident,
} satisfies Record<string, Prompt>);

/** Null for a gate that this version does not know. */
export function promptOf(gate: string): Prompt | null {
  const known: Readonly<Record<string, Prompt>> = prompts;
  return Object.hasOwn(known, gate) ? (known[gate] ?? null) : null;
}
