import type { Server } from "@portcullis/bus";
import { dropDirectory, readDirectory } from "@portcullis/contracts";
import { fingerprintWords } from "@portcullis/crypto/words";
import { currentOf, type Directory } from "./directory.ts";

/** For the owner, who sees whom members are asked to seal to, and can have a name begin anew. */
export async function serveDirectory(server: Server, directory: Directory): Promise<void> {
  await server.serve(readDirectory, async ({ socketId }) => {
    const found = await directory.all(socketId);
    const entries = found.map(async ({ body }) => {
      const { name, history, prekeyUntilMs, changedAtMs } = body;
      const { fingerprint } = await currentOf(body);
      const words = fingerprintWords(fingerprint);
      return { name, fingerprint, words, identities: history.length, prekeyUntilMs, changedAtMs };
    });
    return { entries: await Promise.all(entries) };
  });
  await server.serve(dropDirectory, async ({ socketId, name }) => ({ dropped: await directory.drop(socketId, name) }));
}
