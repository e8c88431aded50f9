import type { Server } from "@portcullis/bus";
import { checkSessions, sessionAbandoned, sessionEnded } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { EdgeWatch } from "./edges.ts";
import type { SessionRegistry } from "./registry.ts";

export async function serveSessions(
  server: Server,
  { sessions, edges, clock }: { readonly sessions: SessionRegistry; readonly edges: EdgeWatch; readonly clock: Clock },
): Promise<void> {
  await server.serve(checkSessions, async ({ edge, everyMs, held }) => {
    await edges.seen(edge, everyMs);
    const looked = await Promise.all(held.map(async (each) => ({ ...each, session: await sessions.get(each.sid) })));
    const gone = looked.filter(({ session }) => session === null);
    return {
      gone: await Promise.all(gone.map(async ({ sid }) => ({ sid, why: await sessions.whyGone(sid) }))),
      replaced: looked.flatMap(({ hid, session }) => (session === null || session.hid === hid ? [] : [hid])),
    };
  });
  await server.on(sessionEnded, async ({ sid, socketId, hid, why }) => {
    const now = clock();
    const found = await sessions.change(sid, (session) => {
      // The socket id is repeated so that nobody can end more than they were told about; the connection, because it may not be this one any more.
      const isMeant = session.socketId === socketId && session.hid === hid && session.lostAtMs === null;
      return isMeant ? { ...session, lostAtMs: now } : null;
    });
    if (found === null || !found.changed) return;
    const staysFor = why === "lost" ? found.before.terms.resumeMs : 0;
    if (staysFor === 0) await sessions.remove(found.before, why === "left" ? why : null);
  });
  await server.on(sessionAbandoned, async ({ sid, socketId }) => {
    const session = await sessions.get(sid);
    if (session !== null && session.socketId === socketId) await sessions.remove(session, null);
  });
}
