import type { Server } from "@portcullis/bus";
import { checkSessions, sessionAbandoned, sessionEnded } from "@portcullis/contracts";
import type { SessionRegistry } from "./registry.ts";

export async function serveSessions(server: Server, sessions: SessionRegistry): Promise<void> {
  await server.serve(checkSessions, async ({ sids }) => {
    const looked = await Promise.all(sids.map(async (sid) => ({ sid, live: (await sessions.get(sid)) !== null })));
    const gone = looked.filter(({ live }) => !live);
    return { gone: await Promise.all(gone.map(async ({ sid }) => ({ sid, why: await sessions.whyGone(sid) }))) };
  });
  const end = async ({ sid, socketId }: { sid: string; socketId: string }) => {
    const session = await sessions.get(sid);
    // The socket id is repeated so that nobody can end more than they were told about.
    if (session !== null && session.socketId === socketId) await sessions.remove(session, null);
  };
  await server.on(sessionEnded, end);
  await server.on(sessionAbandoned, end);
}
