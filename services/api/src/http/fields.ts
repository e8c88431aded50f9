import { memberName as contractMemberName } from "@portcullis/contracts";
import { z } from "zod";

/** Lone surrogates turn into other text on the way; control characters have no place in names. */
const plain = (value: string) => value.isWellFormed() && !/\p{Cc}/u.test(value);
const wellFormed = (value: string) => value.isWellFormed();

const notPlain = { error: "must be text without control characters", abort: true };

/** Free text of people: labels of keys and tokens. */
export const caption = z.string().min(1).max(64).refine(plain, notPlain);
export const email = z
  .string()
  .max(254)
  .pipe(z.email({ error: "must be an e-mail address" }));
/** What it takes to be a good one is for `identity` to say. */
export const password = z.string().min(1).max(256).refine(wellFormed, notPlain);
export const mailToken = z.string().regex(/^[A-Za-z0-9._-]{1,128}$/, { error: "must be the token from the mail" });
export const code = z
  .string()
  .regex(/^[0-9]{6,8}$/, { error: "must be the digits that the authenticator shows" })
  .meta({ example: "123456" });
export const recoveryCode = z.string().min(1).max(64).refine(plain, notPlain);
export const id = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, { error: "must be an id: 1 to 64 of A-Z, a-z, 0-9, _ and -" })
  .meta({ example: "FCB-GAMWJfs6r-Ugsl1fPw" });
export const memberName = contractMemberName.meta({ description: "1 to 128 of A-Z, a-z, 0-9 and . _ @ + -" });
export const version = z.int().positive().max(Number.MAX_SAFE_INTEGER).describe("as read; counts up with each change");
export const time = z.iso
  .datetime({ error: "must be a time like 2027-01-31T12:00:00Z" })
  .meta({ example: "2027-01-31T12:00:00Z" });

/** Epoch ms as RFC 3339. */
export function timeOf(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

export function timeOrNull(epochMs: number | null): string | null {
  return epochMs === null ? null : timeOf(epochMs);
}
