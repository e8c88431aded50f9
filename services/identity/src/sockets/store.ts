import { alertSettings } from "@portcullis/contracts";
import type { Collection, CollectionDefinition, Documents } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { z } from "zod";
import { type AlertCollection, openAlerts } from "../alerts/store.ts";
import { openPeopleStore, type PeopleStore } from "../people/store.ts";

const epochMs = z.number().int().nonnegative();

/**
 * What is there to answer a gate with, by the gate's name: an authenticator, a contact, an answer secret. The value is the id of
 * its enrolment, another one each time, so that whatever stands on the one before can be told.
 */
const enrolments = z.record(z.string(), z.string());
export type Enrolments = z.infer<typeof enrolments>;

export const socket = z.strictObject({
  ownerId: z.string(),
  label: z.string(),
  /** HMAC of label and path: the path itself is a secret and is not kept. */
  pathTag: z.string(),
  /** As the owner wrote it; parsed again whenever it is used. */
  policy: z.record(z.string(), z.unknown()),
  idParameter: z.string(),
  enrolments,
  /** Of what its owner is told, and how. */
  alerts: alertSettings,
  /** When its deletion began. Nobody gets in from then on; what belongs to it goes before the document does. */
  goneAtMs: epochMs.nullable(),
  createdAtMs: epochMs,
  updatedAtMs: epochMs,
});
export type Socket = z.infer<typeof socket>;

export const member = z.strictObject({
  socketId: z.string(),
  name: z.string(),
  /** Nobody: planted, so that whoever comes as them is found out. It never changes. */
  canary: z.boolean(),
  /** E-mail and phone as JSON under the vault, bound to the member's id. */
  contactsSealed: z.string(),
  passphraseHash: z.string().nullable(),
  enrolments,
  /** When the removal began, as with a socket. */
  goneAtMs: epochMs.nullable(),
  createdAtMs: epochMs,
});
export type Member = z.infer<typeof member>;

const members: CollectionDefinition<Member> = {
  name: "identity_members",
  schema: member,
  indexes: [{ fields: ["socketId", "name"], unique: true }, { fields: ["socketId"] }],
};

export const contactsPlace = (memberId: string) => `member-contacts:${memberId}`;

export const sealedMembers = sealedStore(members, ({ id, body }, again) => ({
  ...body,
  contactsSealed: again(body.contactsSealed, contactsPlace(id)),
}));

export interface SocketStore extends PeopleStore {
  readonly sockets: Collection<Socket>;
  readonly members: Collection<Member>;
  readonly alerts: AlertCollection;
}

export async function openSocketStore(documents: Documents): Promise<SocketStore> {
  return {
    ...(await openPeopleStore(documents)),
    sockets: await documents.collection({
      name: "identity_sockets",
      schema: socket,
      indexes: [{ fields: ["label"], unique: true }, { fields: ["pathTag"], unique: true }, { fields: ["ownerId"] }],
    }),
    members: await documents.collection(members),
    alerts: await openAlerts(documents),
  };
}
