import type { Server } from "@portcullis/bus";
import { checkSessions, sessionEnded } from "@portcullis/contracts";
import type { SessionRegistry } from "./registry.ts";

export async function serveSessions(server: Server, sessions: SessionRegistry): Promise<void> {
  await server.serve(checkSessions, async ({ sids }) => {
    const looked = await Promise.all(sids.map(async (sid) => ({ sid, live: (await sessions.get(sid)) !== null })));
    const gone = looked.filter(({ live }) => !live);
    return { gone: await Promise.all(gone.map(async ({ sid }) => ({ sid, why: await sessions.whyGone(sid) }))) };
  });
  await server.on(sessionEnded, async ({ sid, socketId }) => {
    const session = await sessions.get(sid);
    // The socket id is repeated so that an edge can only end what it was told about.
    if (session !== null && session.socketId === socketId) await sessions.remove(session, null);
  });
}
