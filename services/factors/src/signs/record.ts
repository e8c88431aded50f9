import type { CollectionDefinition } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { isSign } from "@portcullis/protocol";
import { z } from "zod";

/** A member's sign at rest. `sealed` is `signContent` as JSON under the vault, base64url, bound to the member and to `enrolmentId`. */
const sign = z.strictObject({
  socketId: z.string().max(64),
  enrolmentId: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  sealed: z.string().regex(/^[A-Za-z0-9_-]{1,8192}$/),
  createdAtMs: z.number().int().nonnegative(),
});
export type StoredSign = z.infer<typeof sign>;

/**
 * `seed`: 32 bytes, base64url, from which come the others among which the sign is picked. It is kept with the sign and changes with it: were the others ever
 * different while the sign stays the same, whoever saw both would know the sign by being in both.
 */
export const signContent = z.strictObject({
  art: z.string().refine(isSign),
  seed: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type SignContent = z.infer<typeof signContent>;

/** The id is the member's, as of an authenticator. */
export const signsCollection: CollectionDefinition<StoredSign> = {
  name: "factors_signs",
  schema: sign,
  indexes: [{ fields: ["socketId"] }],
};

/** Whoever can write to the database cannot show one member the sign of another. */
export const signPlace = (subject: string, enrolmentId: string) => `signs/${subject}/${enrolmentId}`;

export const sealedSigns = sealedStore(signsCollection, ({ id, body }, again) => ({
  ...body,
  sealed: again(body.sealed, signPlace(id, body.enrolmentId)),
}));
