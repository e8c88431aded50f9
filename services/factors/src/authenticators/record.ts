import type { CollectionDefinition } from "@portcullis/documents";
import { type SealedStore, sealedStore } from "@portcullis/key-ring";
import { z } from "zod";

/**
 * One secret that somebody has in their app. Its id is new with each enrolment, so the marks and counters that are kept under it
 * end with it. `secret` is wrapped by the vault, base64url, bound to the subject and to this id.
 */
export const enrolment = z.strictObject({
  id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/),
  secret: z.string().regex(/^[A-Za-z0-9_-]{1,256}$/),
  createdAtMs: z.number().int().nonnegative(),
});
export type Enrolment = z.infer<typeof enrolment>;

const authenticator = z.strictObject({
  socketId: z.string().max(64).nullable(),
  active: enrolment.nullable(),
  /** Waits for its first code; means nothing until then. */
  pending: enrolment.nullable(),
});
export type Authenticator = z.infer<typeof authenticator>;

/** Binds a blob to its subject and enrolment: whoever can write to the database cannot move a secret to another member. */
export const placeOf = (kind: string, subject: string, enrolmentId: string) => `${kind}/${subject}/${enrolmentId}`;

/** The id is the subject's. */
export const authenticatorsCollection: CollectionDefinition<Authenticator> = {
  name: "factors_authenticators",
  schema: authenticator,
  indexes: [{ fields: ["socketId"] }],
};

/** The same for members' answer rules, which are never pending either. */
export const answerRulesCollection: CollectionDefinition<Authenticator> = {
  ...authenticatorsCollection,
  name: "factors_answer_rules",
};

/** The same for members' answer secrets, which are never pending. */
export const answerSecretsCollection: CollectionDefinition<Authenticator> = {
  ...authenticatorsCollection,
  name: "factors_answer_secrets",
};

/** @param kind as the store of that collection is given it */
export function sealedAuthenticators(definition: CollectionDefinition<Authenticator>, kind: string): SealedStore {
  return sealedStore(definition, ({ id, body: { active, pending, ...rest } }, again) => {
    const resealed = (one: Enrolment | null) =>
      one === null ? null : { ...one, secret: again(one.secret, placeOf(kind, id, one.id)) };
    return { ...rest, active: resealed(active), pending: resealed(pending) };
  });
}
