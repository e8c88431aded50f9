import type { Server } from "@portcullis/bus";
import { checkSessions, sessionAbandoned, sessionEnded } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { Audit } from "../audit/audit.ts";
import type { EdgeWatch } from "./edges.ts";
import type { SessionRegistry } from "./registry.ts";
import { endOf } from "./revocation.ts";

export async function serveSessions(
  server: Server,
  context: {
    readonly sessions: SessionRegistry;
    readonly edges: EdgeWatch;
    readonly audit: Audit;
    readonly clock: Clock;
  },
): Promise<void> {
  const { sessions, edges, audit, clock } = context;
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
    if (staysFor > 0) return;
    if (await sessions.remove(found.before, why === "left" ? why : null))
      void audit.note(socketId, endOf(found.before, why));
  });
  await server.on(sessionAbandoned, async ({ sid, socketId }) => {
    const session = await sessions.get(sid);
    if (session === null || session.socketId !== socketId) return;
    if (await sessions.remove(session, null)) void audit.note(socketId, endOf(session, "abandoned"));
  });
}
