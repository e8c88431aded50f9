import { keyRole } from "@portcullis/contracts";
import { type Collection, type CollectionDefinition, type Documents, madeUp } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { createDecoy, type Vault } from "@portcullis/runtime";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

const appKey = z.strictObject({
  socketId: z.string(),
  label: z.string(),
  /** What it opens; those made before there was a choice are members'. */
  role: keyRole.default("member"),
  /** Planted by the owner. In the document, so that nothing that is short-lived has to remember it. */
  canary: z.boolean().default(false),
  /** Exp(K, "psk") under the vault, bound to the key's id. K itself is shown once and not kept. */
  pskSealed: z.string(),
  createdAtMs: epochMs,
  revokedAtMs: epochMs.nullable(),
  lastUsedAtMs: epochMs.nullable(),
});
export type StoredAppKey = z.infer<typeof appKey>;

export type AppKeyCollection = Collection<StoredAppKey>;

const definition: CollectionDefinition<StoredAppKey> = {
  name: "keys_app_keys",
  schema: appKey,
  indexes: [{ fields: ["socketId"] }],
};

export function openAppKeys(documents: Documents): Promise<AppKeyCollection> {
  return documents.collection(definition);
}

/** Reads the key of nobody: what is not found must cost what is. */
export const readNobodysKey = madeUp(appKey, {
  socketId: "0".repeat(22),
  label: "key",
  role: "member",
  canary: false,
  pskSealed: "0".repeat(90),
  createdAtMs: 0,
  revokedAtMs: null,
  lastUsedAtMs: null,
});

const place = (keyId: string) => `app-key-psk:${keyId}`;

export const sealedAppKeys = sealedStore(definition, ({ id, body }, again) => ({
  ...body,
  pskSealed: again(body.pskSealed, place(id)),
}));

export function sealPsk(vault: Vault, keyId: string, psk: Uint8Array): string {
  return Buffer.from(vault.wrap(psk, place(keyId))).toString("base64url");
}

export function openPsk(vault: Vault, keyId: string, sealed: string): Uint8Array {
  return vault.unwrap(Buffer.from(sealed, "base64url"), place(keyId));
}

/** A key of nobody's that opens: under this id. */
export const decoyKeyId = "decoy";

export function createDecoyPsk(vault: Vault, random: (length: number) => Uint8Array): () => string {
  const sealed = createDecoy(vault, () => random(32), place(decoyKeyId));
  return () => Buffer.from(sealed()).toString("base64url");
}
