import { ServiceError } from "@portcullis/contracts";
import { requireSocket, type SocketContext } from "./context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

export async function listLiveSessionsOf(context: SocketContext, request: Mine) {
  const socket = await requireSocket(context, request);
  const sessions = await context.sessions.ofSocket(socket.id);
  return {
    sessions: sessions.map(({ sid, member, keyId, edge, gates, acceptedAtMs, expiresAtMs }) => ({
      sid,
      member,
      keyId,
      edge,
      gates,
      acceptedAtMs,
      expiresAtMs,
    })),
  };
}

export async function kickSessionOf(
  context: SocketContext,
  request: Mine & { sid: string },
): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const closed = await context.revocation.revoke(socket.id, (session) => session.sid === request.sid, "kicked");
  if (closed === 0) throw new ServiceError("not_found");
  return {};
}
