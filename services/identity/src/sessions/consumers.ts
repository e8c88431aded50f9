import type { Server } from "@portcullis/bus";
import { aboutSession, kickMember, recordIdentity, ServiceError } from "@portcullis/contracts";
import { type Audit, present } from "../audit/audit.ts";
import { factsOf } from "./facts.ts";
import type { SessionRegistry } from "./registry.ts";
import type { Revocation } from "./revocation.ts";
import type { Session } from "./session.ts";

/** The owner's programs on one socket at a time. Whoever is told of a member, or looked at for a message, is one of them. */
export const consumersMax = 100;

/** What the owner's program may know of a session of its socket, and do to it. */
export async function serveConsumers(
  server: Server,
  parts: {
    readonly sessions: SessionRegistry;
    readonly revocation: Revocation;
    readonly audit: Pick<Audit, "require">;
  },
): Promise<void> {
  const { sessions, revocation, audit } = parts;

  async function programOf(socketId: string, sid: string): Promise<Session> {
    const who = await sessions.get(sid);
    if (who === null || who.socketId !== socketId || who.role === "member") throw new ServiceError("forbidden");
    return who;
  }

  await server.serve(aboutSession, async ({ socketId, sid }) => {
    const session = await sessions.get(sid);
    // Of another socket is like none: ids of sessions tell a consumer nothing about others.
    if (session === null || session.socketId !== socketId) return { about: null };
    return { about: { ...factsOf(session), memberProven: session.assurance.memberBound } };
  });
  await server.serve(kickMember, async ({ socketId, by, sid }) => {
    await programOf(socketId, by);
    const kicked = await sessions.get(sid);
    // Only members: one replica of a program must not be able to take its place from another.
    if (kicked?.socketId === socketId && kicked.role === "member")
      await revocation.revokeOne({ socketId, sid }, "kicked", { bySession: by });
    return {};
  });
  await server.serve(recordIdentity, async ({ socketId, by, name, fingerprint, before }) => {
    const { sid, keyId } = await programOf(socketId, by);
    const about =
      before === null
        ? { what: "directory-published", name, fingerprint }
        : { what: "directory-replaced", name, fingerprint, before };
    await audit.require(socketId, { event: "socket-changed", session: sid, ...present({ key: keyId }), about });
    return {};
  });
}
