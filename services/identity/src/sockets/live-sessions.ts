import { ServiceError } from "@portcullis/contracts";
import { factsOf } from "../sessions/facts.ts";
import { requireSocket, type SocketContext } from "./context.ts";
import { type PageRequest, pageOf } from "./page.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

export async function listLiveSessionsOf(context: SocketContext, { after, limit, ...mine }: Mine & PageRequest) {
  const socket = await requireSocket(context, mine, "read");
  const found = await context.sessions.page(socket.id, { after, limit: limit + 1 });
  const { items, next } = pageOf(found, limit, ({ sid }) => sid);
  return {
    next,
    sessions: items.map((session) => {
      const { sid, keyId, edge } = session;
      return { sid, keyId, edge, ...factsOf(session) };
    }),
  };
}

export async function kickSessionOf(
  context: SocketContext,
  request: Mine & { sid: string },
): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const isEnded = await context.revocation.revokeOne({ socketId: socket.id, sid: request.sid }, "kicked");
  if (!isEnded) throw new ServiceError("not_found");
  return {};
}
