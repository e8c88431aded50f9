import type { Collection, Documents } from "@portcullis/documents";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

const owner = z.strictObject({
  /** HMAC of the normalised address: found by it, not readable from it. */
  emailTag: z.string(),
  /** The address under the vault, bound to the owner's id. */
  emailSealed: z.string(),
  passwordHash: z.string(),
  emailVerifiedAtMs: epochMs.nullable(),
  secondFactor: z.boolean(),
  /** SHA-256 of those not used yet. */
  recoveryHashes: z.array(z.string()).max(16),
  createdAtMs: epochMs,
});
export type Owner = z.infer<typeof owner>;

const webSession = z.strictObject({
  ownerId: z.string(),
  secretHash: z.string(),
  createdAtMs: epochMs,
  lastSeenAtMs: epochMs,
  expiresAtMs: epochMs,
  userAgent: z.string(),
  address: z.string(),
});
export type WebSession = z.infer<typeof webSession>;

const apiToken = z.strictObject({
  ownerId: z.string(),
  secretHash: z.string(),
  label: z.string(),
  createdAtMs: epochMs,
  expiresAtMs: epochMs.nullable(),
  lastUsedAtMs: epochMs.nullable(),
});
export type ApiToken = z.infer<typeof apiToken>;

export const mailPurposes = ["verify-email", "already-registered", "reset-password", "password-changed"] as const;
const mail = z.strictObject({
  ownerId: z.string(),
  purpose: z.enum(mailPurposes),
  createdAtMs: epochMs,
  expiresAtMs: epochMs,
});
export type Mail = z.infer<typeof mail>;

/** Marks that the first owner exists: a unique id, so that two first sign-ups cannot both win. */
const bootstrap = z.strictObject({ tokenHash: z.string(), usedAtMs: epochMs.nullable() });

export interface AccountStore {
  readonly owners: Collection<Owner>;
  readonly webSessions: Collection<WebSession>;
  readonly apiTokens: Collection<ApiToken>;
  readonly mails: Collection<Mail>;
  readonly bootstrap: Collection<z.infer<typeof bootstrap>>;
}

export async function openAccountStore(documents: Documents): Promise<AccountStore> {
  return {
    owners: await documents.collection({
      name: "identity_owners",
      schema: owner,
      indexes: [{ fields: ["emailTag"], unique: true }],
    }),
    webSessions: await documents.collection({
      name: "identity_web_sessions",
      schema: webSession,
      indexes: [{ fields: ["secretHash"], unique: true }, { fields: ["ownerId"] }],
      expiresAtField: "expiresAtMs",
    }),
    apiTokens: await documents.collection({
      name: "identity_api_tokens",
      schema: apiToken,
      indexes: [{ fields: ["secretHash"], unique: true }, { fields: ["ownerId"] }],
      expiresAtField: "expiresAtMs",
    }),
    mails: await documents.collection({
      name: "identity_mails",
      schema: mail,
      indexes: [],
      expiresAtField: "expiresAtMs",
    }),
    bootstrap: await documents.collection({ name: "identity_bootstrap", schema: bootstrap, indexes: [] }),
  };
}
