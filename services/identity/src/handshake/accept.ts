import type { Admitted } from "@portcullis/contracts";
import type { Clock, Ids } from "@portcullis/runtime";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { SocketStore } from "../sockets/store.ts";
import type { Handshake } from "./store.ts";

export interface AcceptContext {
  readonly store: SocketStore;
  readonly sessions: SessionRegistry;
  readonly clock: Clock;
  readonly ids: Ids;
}

/**
 * Registers the session, then looks once more whether socket and member are still there. Removal deletes first and lists
 * sessions afterwards; so either the removal finds this session, or this look finds the removal. (`keys` does the same for
 * the app key before it seals `accepted`.)
 * @returns null when what the handshake was for went away meanwhile.
 */
export async function admit(
  context: AcceptContext,
  hid: string,
  handshake: Handshake,
  gates: readonly string[],
  memberProven: boolean,
): Promise<Admitted | null> {
  const now = context.clock();
  const session = {
    sid: context.ids.id(),
    hid,
    socketId: handshake.socketId,
    memberId: handshake.memberId,
    member: handshake.member,
    keyId: handshake.keyId,
    edge: hid.split(".", 1)[0] ?? "",
    gates: [...gates],
    acceptedAtMs: now,
    expiresAtMs: now + handshake.sessionMs,
  };
  await context.sessions.add(session);
  const socket = await context.store.sockets.get(handshake.socketId);
  const member = handshake.memberId === null ? null : await context.store.members.get(handshake.memberId);
  const isSocketGone = socket === null || socket.body.goneAtMs !== null;
  const isMemberGone = handshake.memberId !== null && (member === null || member.body.goneAtMs !== null);
  if (isSocketGone || isMemberGone) {
    await context.sessions.remove(session, isSocketGone ? "socket-deleted" : "member-removed");
    return null;
  }
  return {
    sid: session.sid,
    socketId: session.socketId,
    member: session.member,
    memberProven,
    expiresAtMs: session.expiresAtMs,
    maxBytes: handshake.maxBytes,
    perSecond: handshake.perSecond,
  };
}
