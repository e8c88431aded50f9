import * as z from "zod/mini";
import { closeCodeNames } from "./close-codes.ts";
import { limits } from "./limits.ts";

/** Lone surrogates have no UTF-8 and would be hashed as U+FFFD: refused. */
export const text = (max: number, min = 0) =>
  z.string().check(
    z.minLength(min),
    z.maxLength(max),
    z.refine((value) => value.isWellFormed()),
  );

/** Ids and labels that servers make: challenge, session, key, message. */
export const label = z.string().check(z.regex(/^[A-Za-z0-9_-]{1,64}$/));
export const gateName = z.string().check(z.regex(/^[a-z]{2,16}$/));
/** Where in the policy a gate stands, for example `1.0.2`. */
export const position = z.string().check(z.regex(/^[A-Za-z0-9._-]{1,64}$/));
export const member = text(limits.memberChars, 1);
export const count = (max: number, min = 0) => z.int().check(z.gte(min), z.lte(max));
export const epochMs = count(Number.MAX_SAFE_INTEGER);
export const closeCodeName = z.enum(closeCodeNames);
/** A day at most: a client never sleeps longer because somebody said so. */
export const retryAfterMs = count(86_400_000);

/** 32 bytes as canonical base64url; the last of 43 characters carries 4 bits, so its two low bits are zero. */
export const bytes32 = z.string().check(z.regex(/^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/));
/** 64 bytes likewise; of 86 characters the last carries 2 bits. */
export const bytes64 = z.string().check(z.regex(/^[A-Za-z0-9_-]{85}[AQgw]$/));

export const answerValue = text(limits.answerChars);
/** As a policy names kinds of messages. */
export const messageClass = z.string().check(z.regex(/^[a-z][a-z0-9-]{0,31}$/));
/** For the owner's program. */
export const parameters = z
  .record(text(limits.parameterNameChars, 1), text(limits.parameterChars))
  .check(z.refine((entries) => Object.keys(entries).length <= limits.parameters));
export const ticket = z.string().check(z.regex(/^pt1\.[A-Za-z0-9_-]{43}$/));
export const offeredAnswer = z.strictObject({ gate: gateName, value: answerValue, at: z.optional(position) });
