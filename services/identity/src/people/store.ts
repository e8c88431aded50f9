import { invitedRole } from "@portcullis/contracts";
import type { Collection, CollectionDefinition, Documents } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

/** An account that may do something on a socket of somebody else's. The owner is not among them: the socket says who that is. */
const person = z.strictObject({
  socketId: z.string(),
  accountId: z.string(),
  role: invitedRole,
  /** Names this very right: another one whenever the role changes, so that what was done under the one before can be told. */
  grant: z.string(),
  /** When the removal began. They may nothing from then on; the document goes last. */
  goneAtMs: epochMs.nullable(),
  createdAtMs: epochMs,
});
export type Person = z.infer<typeof person>;

/** Who is invited and has not accepted yet. The address is sealed, as an owner's is. */
const invitation = z.strictObject({
  socketId: z.string(),
  role: invitedRole,
  /** HMAC of the normalised address. */
  emailTag: z.string(),
  emailSealed: z.string(),
  /** SHA-256 of the token in the mail; another one with each mail. */
  tokenHash: z.string(),
  /** Of which mail the token is. */
  mailId: z.string(),
  createdAtMs: epochMs,
  expiresAtMs: epochMs,
});
export type Invitation = z.infer<typeof invitation>;

const invitations: CollectionDefinition<Invitation> = {
  name: "identity_invitations",
  schema: invitation,
  indexes: [{ fields: ["socketId", "emailTag"], unique: true }, { fields: ["socketId"] }],
  expiresAtField: "expiresAtMs",
};

export const invitationEmailPlace = (id: string) => `invitation-email:${id}`;

export const sealedInvitations = sealedStore(invitations, ({ id, body }, again) => ({
  ...body,
  emailSealed: again(body.emailSealed, invitationEmailPlace(id)),
}));

export interface PeopleStore {
  readonly people: Collection<Person>;
  readonly invitations: Collection<Invitation>;
}

export async function openPeopleStore(documents: Documents): Promise<PeopleStore> {
  return {
    people: await documents.collection({
      name: "identity_people",
      schema: person,
      indexes: [
        { fields: ["socketId", "accountId"], unique: true },
        { fields: ["socketId"] },
        { fields: ["accountId"] },
      ],
    }),
    invitations: await documents.collection(invitations),
  };
}
