import type { Server } from "@portcullis/bus";
import { sealFarewells } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import { encodePlaintext, recordTypes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { SessionSecrets } from "./session-secrets.ts";

/** The last words of a session, and the end of its keys. */
export async function serveFarewells(
  server: Server,
  secrets: SessionSecrets,
  writer: RecordWriter,
  log: Pick<Logger, "error">,
): Promise<void> {
  await server.serve(sealFarewells, async ({ sids, what }) => {
    const plaintext = encodePlaintext({ t: "revoked", what });
    const frames: { sid: string; frame: Uint8Array }[] = [];
    for (const sid of sids) {
      const found = await secrets.get(sid).catch((error: unknown) => {
        // One that does not open must not silence the others.
        log.error("the secrets of a session do not open", { sid }, error);
        return null;
      });
      if (found !== null)
        frames.push({ sid, frame: await writer.seal(recordTypes.applicationDown, found.server, plaintext) });
      await secrets.erase(sid);
    }
    return { frames };
  });
}
