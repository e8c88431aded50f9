import type { Server } from "@portcullis/bus";
import { type FarewellReason, sealExpiries, sealFarewells } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import { encodePlaintext, recordTypes } from "@portcullis/protocol";
import type { Clock, Logger } from "@portcullis/runtime";
import type { Groups } from "../groups/groups.ts";
import type { SessionSecrets, StoredSession } from "./session-secrets.ts";

export interface LastWordsContext {
  readonly secrets: SessionSecrets;
  readonly groups: Pick<Groups, "renew">;
  readonly writer: RecordWriter;
  readonly clock: Clock;
  readonly log: Pick<Logger, "error">;
}

/** How far the clock of an edge may be ahead of ours. */
const skewMs = 2_000;

/** The last words of a session, and the end of its keys. */
export async function serveLastWords(server: Server, context: LastWordsContext): Promise<void> {
  const { clock } = context;
  await server.serve(sealFarewells, ({ sids, what }) => seal(context, sids, what, () => true));
  // Whoever asks is an edge, which must not be able to end a session's keys or to have anything said that is not so.
  const hasExpired = ({ expiresAtMs }: StoredSession) => clock() >= expiresAtMs - skewMs;
  await server.serve(sealExpiries, ({ sids }) => seal(context, sids, "expired", hasExpired));
}

async function seal(
  { secrets, groups, writer, log }: LastWordsContext,
  sids: readonly string[],
  what: FarewellReason,
  isDue: (found: StoredSession) => boolean,
): Promise<{ frames: { sid: string; frame: Uint8Array }[] }> {
  const plaintext = encodePlaintext({ t: "revoked", what });
  const frames: { sid: string; frame: Uint8Array }[] = [];
  const renewed = new Set<string>();
  for (const sid of sids) {
    const found = await secrets.get(sid).catch((error: unknown) => {
      // One that does not open must not silence the others.
      log.error("the secrets of a session do not open", { sid }, error);
      return null;
    });
    if (found !== null) {
      if (!isDue(found)) continue;
      frames.push({ sid, frame: await writer.seal(recordTypes.applicationDown, found.server, plaintext) });
      // Who was put out was counted with that; of whose time has come, this is where it is seen.
      // Once for all whose time comes together: each further epoch would have to be given to everybody who stays.
      if (what === "expired" && found.sealed && !renewed.has(found.socketId)) {
        renewed.add(found.socketId);
        await groups.renew(found.socketId);
      }
    }
    await secrets.erase(sid);
  }
  return { frames };
}
