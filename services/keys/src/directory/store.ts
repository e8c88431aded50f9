import type { Collection, Documents } from "@portcullis/documents";
import { z } from "zod";

const signature = z.string().max(86);
const signedIdentity = z.strictObject({
  statement: z.string().max(683),
  sig: signature,
  sigBefore: signature.optional(),
});
const signedPrekey = z.strictObject({ statement: z.string().max(3072), sig: signature });

const entry = z.strictObject({
  socketId: z.string(),
  name: z.string(),
  /** Oldest first, as they were signed. All of it is public, and none of it the server's word. */
  history: z.array(signedIdentity).min(1).max(8),
  prekey: signedPrekey.nullable(),
  prekeyUntilMs: z.number().int().nonnegative().nullable(),
  changedAtMs: z.number().int().nonnegative(),
});
export type StoredEntry = z.infer<typeof entry>;
export type DirectoryCollection = Collection<StoredEntry>;

export function openDirectory(documents: Documents): Promise<DirectoryCollection> {
  return documents.collection({ name: "keys_directory", schema: entry, indexes: [{ fields: ["socketId"] }] });
}
