import type { Server } from "@portcullis/bus";
import { checkSessions, type FarewellReason, sessionAbandoned, sessionEnded } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { Audit } from "../audit/audit.ts";
import type { EdgeWatch } from "./edges.ts";
import type { SessionRegistry } from "./registry.ts";
import { endOf } from "./revocation.ts";
import { placeOfSession, type Session } from "./session.ts";

/** @param parts.registries of each world one: an edge holds sessions of both and knows of no difference. A session is in one of them. */
export async function serveSessions(
  server: Server,
  parts: {
    readonly registries: readonly SessionRegistry[];
    readonly edges: EdgeWatch;
    readonly audit: Audit;
    readonly clock: Clock;
  },
): Promise<void> {
  const { registries, edges, audit, clock } = parts;

  async function find(sid: string): Promise<Session | null> {
    for (const registry of registries) {
      const session = await registry.get(sid);
      if (session !== null) return session;
    }
    return null;
  }

  async function whyGone(sid: string): Promise<FarewellReason> {
    for (const registry of registries) if (await registry.isOver(sid)) return registry.whyGone(sid);
    return "expired";
  }

  await server.serve(checkSessions, async ({ edge, everyMs, held }) => {
    await edges.seen(edge, everyMs);
    const looked = await Promise.all(held.map(async (each) => ({ ...each, session: await find(each.sid) })));
    const gone = looked.filter(({ session }) => session === null);
    return {
      gone: await Promise.all(gone.map(async ({ sid }) => ({ sid, why: await whyGone(sid) }))),
      replaced: looked.flatMap(({ hid, session }) => (session === null || session.hid === hid ? [] : [hid])),
    };
  });
  await server.on(sessionEnded, async ({ sid, socketId, hid, why }) => {
    const now = clock();
    for (const registry of registries) {
      const found = await registry.change(sid, (session) => {
        // The socket id is repeated so that nobody can end more than they were told about; the connection, because it may not be this one any more.
        const isMeant = placeOfSession(session) === socketId && session.hid === hid && session.lostAtMs === null;
        return isMeant ? { ...session, lostAtMs: now } : null;
      });
      if (found === null) continue;
      const staysFor = why === "lost" ? found.before.terms.resumeMs : 0;
      if (!found.changed || staysFor > 0) return;
      if (await registry.remove(found.before, why === "left" ? why : null))
        void audit.note(found.before.socketId, endOf(found.before, why));
      return;
    }
  });
  await server.on(sessionAbandoned, async ({ sid, socketId }) => {
    for (const registry of registries) {
      const session = await registry.get(sid);
      if (session === null || placeOfSession(session) !== socketId) continue;
      if (await registry.remove(session, null)) void audit.note(session.socketId, endOf(session, "abandoned"));
    }
  });
}
