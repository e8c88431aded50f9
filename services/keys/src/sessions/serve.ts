import type { Server } from "@portcullis/bus";
import { type FarewellReason, sealExpiries, sealFarewells } from "@portcullis/contracts";
import type { RecordWriter } from "@portcullis/crypto";
import { encodePlaintext, recordTypes } from "@portcullis/protocol";
import type { Clock, Logger } from "@portcullis/runtime";
import type { Groups } from "../groups/groups.ts";
import type { ParkedMessages } from "../messages/parked.ts";
import type { LiveSessions } from "./live-sessions.ts";
import type { SessionSecrets, StoredSession } from "./session-secrets.ts";

interface Speaking {
  readonly secrets: SessionSecrets;
  readonly live: Pick<LiveSessions, "is">;
  readonly parked: Pick<ParkedMessages, "erase">;
  readonly groups: Pick<Groups, "renew">;
}

export interface LastWordsContext {
  /** A session is in one of them. */
  readonly worlds: readonly Speaking[];
  readonly writer: RecordWriter;
  readonly clock: Clock;
  readonly log: Pick<Logger, "error">;
}

/** How far the clock of an edge may be ahead of ours. */
const skewMs = 2_000;

/** The last words of a session, and the end of its keys. */
export async function serveLastWords(server: Server, context: LastWordsContext): Promise<void> {
  const { clock } = context;
  await server.serve(sealFarewells, ({ sids, what }) =>
    seal(context, sids, { why: async () => what, renews: what === "expired" }),
  );
  // Whoever asks is an edge, which must not be able to end a session's keys or to have anything said that is not so.
  const whyOver = async ({ live }: Speaking, sid: string, { expiresAtMs, during }: StoredSession) => {
    if (clock() >= expiresAtMs - skewMs) return "expired" as const;
    // It has ended by itself: nobody has asked in time for what was due, or nobody has answered.
    return during && !(await live.is(sid)) ? ("step-up" as const) : null;
  };
  await server.serve(sealExpiries, ({ sids }) => seal(context, sids, { why: whyOver, renews: true }));
}

async function seal(
  { worlds, writer, log }: LastWordsContext,
  sids: readonly string[],
  {
    why,
    renews,
  }: {
    readonly why: (world: Speaking, sid: string, found: StoredSession) => Promise<FarewellReason | null>;
    /** Nobody has counted this end yet. */
    readonly renews: boolean;
  },
): Promise<{ frames: { sid: string; frame: Uint8Array }[] }> {
  const frames: { sid: string; frame: Uint8Array }[] = [];
  const renewed = new Set<string>();
  for (const sid of sids) {
    for (const world of worlds) {
      const { secrets, parked, groups } = world;
      const found = await secrets.get(sid).catch((error: unknown) => {
        // One that does not open must not silence the others.
        log.error("the secrets of a session do not open", { sid }, error);
        return null;
      });
      if (found !== null) {
        const what = await why(world, sid, found);
        if (what === null) continue;
        const plaintext = encodePlaintext({ t: "revoked", what });
        frames.push({ sid, frame: await writer.seal(recordTypes.applicationDown, found.server, plaintext) });
        // Who was put out was counted with that; of whose time has come, this is where it is seen.
        // Once for all whose time comes together: each further epoch would have to be given to everybody who stays.
        if (renews && found.sealed && !renewed.has(found.socketId)) {
          renewed.add(found.socketId);
          await groups.renew(found.socketId);
        }
      }
      await secrets.erase(sid);
      await parked.erase(sid);
    }
  }
  return { frames };
}
