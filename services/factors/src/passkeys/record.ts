import type { CollectionDefinition } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

/** A document for each passkey; its id is that of the credential under its relying party. */
const passkey = z.strictObject({
  /** As of authenticators. */
  subject: z.string(),
  ownerId: z.string().nullable(),
  socketId: z.string().max(64).nullable(),
  relyingParty: z.string(),
  label: z.string(),
  synced: z.boolean(),
  /** Credential id, public key and transports, wrapped by the vault and bound to the subject and this document, base64url. */
  sealed: z.string().max(4096),
  createdAtMs: epochMs,
  lastUsedAtMs: epochMs.nullable(),
});
export type Passkey = z.infer<typeof passkey>;

export const passkeysCollection: CollectionDefinition<Passkey> = {
  name: "factors_passkeys",
  schema: passkey,
  indexes: [{ fields: ["subject"] }, { fields: ["socketId"] }],
};

/** What a browser needs to find it, and we to verify what it signs. */
export const credential = z.strictObject({
  /** base64url */
  id: z.string().max(1400),
  /** COSE key (RFC 9052 section 7), base64url. */
  publicKey: z.string().max(2048),
  transports: z.array(z.string().max(32)).max(8),
});
export type Credential = z.infer<typeof credential>;

export const passkeyPlace = (subject: string, id: string) => `passkeys/${subject}/${id}`;

export const sealedPasskeys = sealedStore(passkeysCollection, ({ id, body }, again) => ({
  ...body,
  sealed: again(body.sealed, passkeyPlace(body.subject, id)),
}));
