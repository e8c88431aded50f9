import { generateIdentity, type Identity, importIdentity } from "@portcullis/crypto";
import { type Documents, DuplicateError } from "@portcullis/documents";
import { type Clock, StartupError, type Vault } from "@portcullis/runtime";
import { z } from "zod";

const stored = z.strictObject({ seedSealed: z.string(), createdAtMs: z.number().int() });
const currentId = "current";
const place = "server-identity";

/**
 * The server's long-lived signing key: one for the deployment, made by whichever replica starts first. Every app key pins its
 * fingerprint, so it must never change by accident: a stored one that does not open is an error, never a reason for a new one.
 *
 * @throws {StartupError} it does not open.
 */
export async function openIdentity(documents: Documents, vault: Vault, clock: Clock): Promise<Identity> {
  const collection = await documents.collection({ name: "keys_identity", schema: stored, indexes: [] });
  const found = await collection.get(currentId);
  if (found === null) {
    const { identity, seed } = await generateIdentity();
    const seedSealed = Buffer.from(vault.wrap(seed, place)).toString("base64url");
    seed.fill(0);
    try {
      await collection.insert(currentId, { seedSealed, createdAtMs: clock() });
      return identity;
    } catch (error) {
      // Another replica was faster: its identity is the deployment's.
      if (!(error instanceof DuplicateError)) throw error;
    }
  }
  const winner = found ?? (await collection.get(currentId));
  if (winner === null) throw new Error("the server identity vanished while starting");
  return restore(vault, winner.body.seedSealed);
}

async function restore(vault: Vault, seedSealed: string): Promise<Identity> {
  let seed: Uint8Array;
  try {
    seed = vault.unwrap(Buffer.from(seedSealed, "base64url"), place);
  } catch (cause) {
    throw new StartupError(
      "the stored server identity does not open: it was made under another master key, or it is damaged. Put back what belongs together; a new identity would be another server to everybody who holds an app key",
      { cause },
    );
  }
  const identity = await importIdentity(seed);
  seed.fill(0);
  return identity;
}
