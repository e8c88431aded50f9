import type { Server } from "@portcullis/bus";
import { groupGrants } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import { encodeControl, recordTypes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import { type Groups, grantOf } from "./groups.ts";

export interface GrantContext {
  readonly groups: Groups;
  readonly live: LiveSessions;
  readonly writer: RecordWriter;
  readonly log: Pick<Logger, "error">;
}

/** The epoch that holds, sealed for each of an edge's sessions that may have it. */
export async function serveGroups(server: Server, { groups, live, writer, log }: GrantContext): Promise<void> {
  await server.serve(groupGrants, async ({ socketId, sids }) => {
    const epoch = await groups.current(socketId);
    const plaintext = encodeControl({ t: "grant", group: grantOf(epoch) });
    const frames: { sid: string; frame: Uint8Array }[] = [];
    for (const sid of sids) {
      // Looked at behind the epoch: who is put out from now on is put out of the next one.
      const session = await live.get(sid).catch((error: unknown) => {
        log.error("the secrets of a session do not open", { sid }, error);
        return null;
      });
      if (session === null || session.socketId !== socketId || !session.sealed) continue;
      frames.push({ sid, frame: await writer.seal(recordTypes.applicationDown, session.server, plaintext) });
    }
    return { epoch: epoch.epoch, frames };
  });
}
