// Written by `npm run gates` from the files beside it. Changes made here are lost.
import { approval } from "./approval.ts";
import { call } from "./call.ts";
import { captcha } from "./captcha.ts";
import { email } from "./email.ts";
import { external } from "./external.ts";
import type { Gate } from "./gate.ts";
import { ident } from "./ident.ts";
import { jwt } from "./jwt.ts";
import { otp } from "./otp.ts";
import { passkey } from "./passkey.ts";
import { question } from "./question.ts";
import { sms } from "./sms.ts";

export const all = {
  approval,
  call,
  captcha,
  email,
  external,
  ident,
  jwt,
  otp,
  passkey,
  question,
  sms,
} satisfies Record<string, Gate>;
