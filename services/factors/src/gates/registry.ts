import { call } from "./call.ts";
import { captcha } from "./captcha.ts";
import { email } from "./email.ts";
import type { Gate } from "./gate.ts";
import { ident } from "./ident.ts";
import { jwt } from "./jwt.ts";
import { otp } from "./otp.ts";
import { passkey } from "./passkey.ts";
import { question } from "./question.ts";
import { sms } from "./sms.ts";

/** Every gate that this service judges. A new one: its file here and its line below, its schema in `libs/policy`, its prompt in `libs/client`. */
const all: readonly Gate[] = [otp, email, sms, call, question, passkey, captcha, jwt, ident];

export const gates: ReadonlyMap<string, Gate> = new Map(all.map((gate) => [gate.name, gate]));
