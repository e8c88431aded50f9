import type { Server } from "@portcullis/bus";
import { aboutSession, kickMember, ServiceError } from "@portcullis/contracts";
import { factsOf } from "./facts.ts";
import type { SessionRegistry } from "./registry.ts";
import type { Revocation } from "./revocation.ts";

/** The owner's programs on one socket at a time. Whoever is told of a member, or looked at for a message, is one of them. */
export const consumersMax = 100;

/** What the owner's program may know of a session of its socket, and do to it. */
export async function serveConsumers(
  server: Server,
  { sessions, revocation }: { readonly sessions: SessionRegistry; readonly revocation: Revocation },
): Promise<void> {
  await server.serve(aboutSession, async ({ socketId, sid }) => {
    const session = await sessions.get(sid);
    // Of another socket is like none: ids of sessions tell a consumer nothing about others.
    if (session === null || session.socketId !== socketId) return { about: null };
    return { about: { ...factsOf(session), memberProven: session.assurance.memberBound } };
  });
  await server.serve(kickMember, async ({ socketId, by, sid }) => {
    const who = await sessions.get(by);
    if (who === null || who.socketId !== socketId || who.role === "member") throw new ServiceError("forbidden");
    const kicked = await sessions.get(sid);
    // Only members: one replica of a program must not be able to take its place from another.
    if (kicked?.socketId === socketId && kicked.role === "member")
      await revocation.revokeOne({ socketId, sid }, "kicked", { bySession: by });
    return {};
  });
}
