import { alertKinds } from "@portcullis/contracts";
import type { Collection, CollectionDefinition, Documents } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();
const count = z.number().int().nonnegative();

const owner = z.strictObject({
  /** HMAC of the normalised address: found by it, not readable from it. */
  emailTag: z.string(),
  /** The address under the vault, bound to the owner's id. */
  emailSealed: z.string(),
  passwordHash: z.string(),
  /**
   * Grows with each new password and with each second factor that comes into force, in the same write: every web session and
   * every mailed reset token of before is void from then on, whatever happens to the process that wanted to delete them.
   */
  passwordEpoch: count,
  /** Grows with each reset by mail, likewise in the same write: every API token of before is void. */
  tokenEpoch: count,
  emailVerifiedAtMs: epochMs.nullable(),
  secondFactor: z.boolean(),
  /** SHA-256 of those not used yet. */
  recoveryHashes: z.array(z.string()).max(16),
  createdAtMs: epochMs,
});
export type Owner = z.infer<typeof owner>;

const owners: CollectionDefinition<Owner> = {
  name: "identity_owners",
  schema: owner,
  indexes: [{ fields: ["emailTag"], unique: true }],
};

export const ownerEmailPlace = (ownerId: string) => `owner-email:${ownerId}`;

export const sealedOwners = sealedStore(owners, ({ id, body }, again) => ({
  ...body,
  emailSealed: again(body.emailSealed, ownerEmailPlace(id)),
}));

const webSession = z.strictObject({
  ownerId: z.string(),
  secretHash: z.string(),
  /** The owner's `passwordEpoch` at sign-in. */
  passwordEpoch: count,
  createdAtMs: epochMs,
  lastSeenAtMs: epochMs,
  expiresAtMs: epochMs,
  /** Browser and network address as JSON under the vault, bound to the session's id. */
  clientSealed: z.string(),
});
export type WebSession = z.infer<typeof webSession>;

const webSessions: CollectionDefinition<WebSession> = {
  name: "identity_web_sessions",
  schema: webSession,
  indexes: [{ fields: ["secretHash"], unique: true }, { fields: ["ownerId"] }],
  expiresAtField: "expiresAtMs",
};

export const clientPlace = (sessionId: string) => `web-session-client:${sessionId}`;

export const sealedWebSessions = sealedStore(webSessions, ({ id, body }, again) => ({
  ...body,
  clientSealed: again(body.clientSealed, clientPlace(id)),
}));

const apiToken = z.strictObject({
  ownerId: z.string(),
  secretHash: z.string(),
  /** The owner's `tokenEpoch` when whoever made it had shown that they may. */
  tokenEpoch: count,
  label: z.string(),
  /** Planted: it is never right. */
  canary: z.boolean(),
  createdAtMs: epochMs,
  expiresAtMs: epochMs,
  lastUsedAtMs: epochMs.nullable(),
});
export type ApiToken = z.infer<typeof apiToken>;

export const mailPurposes = [
  "verify-email",
  "already-registered",
  "reset-password",
  "password-changed",
  "canary-token",
  ...alertKinds,
] as const;
/** Of sockets and their people: what these say is composed there. */
export const peopleMailPurposes = ["invitation", "approval"] as const;
const mail = z.strictObject({
  /** Null: to nobody, because there is no such account; so that it costs the same to ask for one. */
  ownerId: z.string().nullable(),
  purpose: z.enum([...mailPurposes, ...peopleMailPurposes]),
  /** The owner's `passwordEpoch` when it was asked for. */
  passwordEpoch: count,
  /** What it is about, where that is one of several: a socket or its label, an invitation. */
  about: z.string().max(256).optional(),
  createdAtMs: epochMs,
  expiresAtMs: epochMs,
});
export type Mail = z.infer<typeof mail>;

/**
 * The id that the first owner will have. Whoever signs up with the bootstrap token inserts an owner under it, so the unique
 * id decides who is the first, and there is no moment in which the token is used up and nobody is the owner.
 */
const firstOwner = z.strictObject({ ownerId: z.string() });

/** Its id is owner and code. A unique insert makes a code one use on every engine; compare-and-set is not atomic on all. */
const usedRecoveryCode = z.strictObject({ ownerId: z.string(), usedAtMs: epochMs });

export interface AccountStore {
  readonly owners: Collection<Owner>;
  readonly webSessions: Collection<WebSession>;
  readonly apiTokens: Collection<ApiToken>;
  readonly mails: Collection<Mail>;
  readonly firstOwner: Collection<z.infer<typeof firstOwner>>;
  readonly usedRecoveryCodes: Collection<z.infer<typeof usedRecoveryCode>>;
}

export async function openAccountStore(documents: Documents): Promise<AccountStore> {
  return {
    owners: await documents.collection(owners),
    webSessions: await documents.collection(webSessions),
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
    firstOwner: await documents.collection({ name: "identity_first_owner", schema: firstOwner, indexes: [] }),
    usedRecoveryCodes: await documents.collection({
      name: "identity_used_recovery_codes",
      schema: usedRecoveryCode,
      indexes: [{ fields: ["ownerId"] }],
    }),
  };
}

const pageSize = 1000;

/** Deletes every document that the filter finds, however many there are. */
export async function deleteAll<T extends object>(
  collection: Collection<T>,
  filter: Parameters<Collection<T>["find"]>[0],
  except: string | null = null,
): Promise<void> {
  for (;;) {
    const page = await collection.find(filter, { limit: pageSize });
    for (const { id } of page) if (id !== except) await collection.delete(id);
    if (page.length < pageSize) return;
  }
}
