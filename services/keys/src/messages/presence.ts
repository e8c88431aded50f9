import type { Server } from "@portcullis/bus";
import { sessionPresence } from "@portcullis/contracts";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import type { SessionSecrets } from "../sessions/session-secrets.ts";
import type { Pool } from "./pool.ts";
import type { Receivers } from "./receivers.ts";

/** Tells the owner's programs who comes and who goes, as far as edges say so: an edge that dies says nothing. */
export async function servePresence(
  server: Server,
  parts: {
    readonly live: LiveSessions;
    readonly secrets: SessionSecrets;
    readonly pool: Pool;
    readonly receivers: Receivers;
    /** A connection is gone that is of no session here, as far as is known. @returns whether it is one of another world */
    readonly elsewhere: (sid: string, hid: string) => Promise<boolean>;
  },
): Promise<void> {
  const { live, secrets, pool, receivers, elsewhere } = parts;

  async function announce(t: "joined" | "left", socketId: string, sid: string): Promise<void> {
    const consumers = await pool.all(socketId);
    await Promise.all(consumers.map((consumer) => receivers.tell(consumer, { t, sid })));
  }

  await server.on(sessionPresence, async ({ sid, socketId, hid, is }) => {
    if (is === "here") {
      const session = await live.get(sid);
      if (session?.hid === hid && session.role === "member") await announce("joined", session.socketId, sid);
      return;
    }
    const session = await secrets.get(sid);
    // Of who is in a decoy no program hears, whatever socket an edge names.
    if (session === null && (await elsewhere(sid, hid))) return;
    // It has gone on over another connection, or is none of a member's. Of who was put out nothing is left to look at.
    if (session !== null && (session.hid !== hid || session.socketId !== socketId || session.role !== "member")) return;
    await announce("left", socketId, sid);
  });
}
