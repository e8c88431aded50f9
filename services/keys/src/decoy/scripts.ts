import { type DecoyScript, decoyScript } from "@portcullis/contracts";
import { type CollectionDefinition, type Documents, DuplicateError } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import type { Vault } from "@portcullis/runtime";
import { z } from "zod";

/** What is to be heard in the decoys of a socket, as its owner wrote it; sealed at rest: it says what looks real there. */
export interface Scripts {
  get(socketId: string): Promise<DecoyScript | null>;
  keep(socketId: string, script: DecoyScript | null): Promise<void>;
}

const stored = z.strictObject({ sealed: z.string() });
const definition: CollectionDefinition<z.infer<typeof stored>> = {
  name: "keys_decoy_scripts",
  schema: stored,
  indexes: [],
};
const context = (socketId: string) => `decoy-script:${socketId}`;
const triesMax = 5;

export const sealedScripts = sealedStore(definition, ({ id, body }, again) => ({
  sealed: again(body.sealed, context(id)),
}));

export async function openScripts(documents: Documents, vault: Vault): Promise<Scripts> {
  const collection = await documents.collection(definition);
  return {
    async get(socketId) {
      const found = await collection.get(socketId);
      if (found === null) return null;
      const opened = vault.unwrap(Buffer.from(found.body.sealed, "base64url"), context(socketId));
      return decoyScript.parse(JSON.parse(Buffer.from(opened).toString("utf8")));
    },
    async keep(socketId, script) {
      if (script === null) {
        await collection.delete(socketId);
        return;
      }
      const wrapped = vault.wrap(Buffer.from(JSON.stringify(script)), context(socketId));
      const body = { sealed: Buffer.from(wrapped).toString("base64url") };
      for (let tries = 0; tries < triesMax; tries += 1) {
        const found = await collection.get(socketId);
        if (found !== null && (await collection.replace(socketId, found.version, body)) !== null) return;
        if (found !== null) continue;
        try {
          await collection.insert(socketId, body);
          return;
        } catch (error) {
          // Somebody else was faster: theirs is replaced.
          if (!(error instanceof DuplicateError)) throw error;
        }
      }
      throw new Error("a decoy's script is being fought over");
    },
  };
}
