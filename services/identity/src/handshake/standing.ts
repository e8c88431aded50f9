import type { SocketStore } from "../sockets/store.ts";
import type { Handshake } from "./store.ts";

/**
 * Whether socket, member and authenticators with which the handshake began are still there. Looked at in each step, so that who
 * was thrown out is not asked on until the attempts are used up, and once more behind the accept. (The app key is looked at by
 * `keys`, whose it is.)
 */
export async function stands(
  store: SocketStore,
  { socketId, memberId, enrolments }: Pick<Handshake, "socketId" | "memberId" | "enrolments">,
): Promise<boolean> {
  const [socket, member] = await Promise.all([
    store.sockets.get(socketId),
    memberId === null ? null : store.members.get(memberId),
  ]);
  if (socket === null || socket.body.goneAtMs !== null) return false;
  if (memberId !== null && (member === null || member.body.goneAtMs !== null)) return false;
  return enrolments.every(
    ({ gate, of, id }) => id === (of === "member" ? member?.body.enrolments[gate] : socket.body.enrolments[gate]),
  );
}
