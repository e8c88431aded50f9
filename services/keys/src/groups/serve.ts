import type { Server } from "@portcullis/bus";
import { groupGrants } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import { encodeControl, recordTypes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import { type Epoch, type Groups, grantOf } from "./groups.ts";

export interface GrantContext {
  /** Of the world that a socket, or a room, is of. */
  readonly worldOf: (socketId: string) => { readonly groups: Groups; readonly live: LiveSessions };
  readonly writer: RecordWriter;
  readonly log: Pick<Logger, "error">;
}

/** As many as a client keeps. */
const epochsMax = 3;

/**
 * The epoch of a message, and those that it may have overtaken, sealed for each of an edge's sessions that may have them. Not the one that
 * holds by now: where several are put out in a row, what was said in between is for those who were there in between.
 */
export async function serveGroups(server: Server, { worldOf, writer, log }: GrantContext): Promise<void> {
  await server.serve(groupGrants, async ({ socketId, epoch, after, sids }) => {
    const { groups, live } = worldOf(socketId);
    const epochs: Epoch[] = [];
    for (let each = Math.max(after + 1, epoch - epochsMax + 1); each <= epoch; each += 1) {
      // Whoever was there before an epoch was there when it began.
      const used = await groups.used(socketId, each, 0);
      if (used !== null) epochs.push(used);
    }
    const frames: { sid: string; frame: Uint8Array }[] = [];
    for (const sid of sids) {
      // Looked at behind the epochs: who is put out from now on is put out of a later one.
      const session = await live.get(sid).catch((error: unknown) => {
        log.error("the secrets of a session do not open", { sid }, error);
        return null;
      });
      if (session === null || session.socketId !== socketId || session.epoch === null) continue;
      for (const given of epochs) {
        if (given.epoch <= session.epoch) continue;
        const plaintext = encodeControl({ t: "grant", group: grantOf(given) });
        frames.push({ sid, frame: await writer.seal(recordTypes.applicationDown, session.server, plaintext) });
      }
    }
    return { frames };
  });
}
