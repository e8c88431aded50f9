import { readSessionWords, ServiceError } from "@portcullis/contracts";
import { hasRight } from "../people/rights.ts";
import { factsOf } from "../sessions/facts.ts";
import { requireRole, requireSocket, type SocketContext } from "./context.ts";
import { type PageRequest, pageOf } from "./page.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

export async function listLiveSessionsOf(context: SocketContext, { after, limit, ...mine }: Mine & PageRequest) {
  const { socket, role } = await requireRole(context, mine, "read");
  const found = await context.sessions.page(socket.id, { after, limit: limit + 1 });
  const { items, next } = pageOf(found, limit, ({ sid }) => sid);
  const sids = items.map(({ sid }) => sid);
  // Whoever can read a member's words to them is believed to be the owner: nobody else is given them.
  const words = hasRight(role, "own") ? await wordsOf(context, socket.id, sids) : new Map<string, string>();
  return {
    next,
    sessions: items.map((session) => {
      const { sid, keyId, edge } = session;
      return { sid, keyId, edge, ...factsOf(session), words: words.get(sid) ?? null };
    }),
  };
}

/** None while `keys` cannot be reached: who is there, and is to be put out, must be seen all the same. */
async function wordsOf(
  { caller, log }: SocketContext,
  socketId: string,
  sids: string[],
): Promise<ReadonlyMap<string, string>> {
  if (sids.length === 0) return new Map();
  try {
    const { words } = await caller.call(readSessionWords, { socketId, sids });
    return new Map(words.map((each) => [each.sid, each.words]));
  } catch (error) {
    log.warn("the words of sessions cannot be had", { socket: socketId }, error);
    return new Map();
  }
}

export async function kickSessionOf(
  context: SocketContext,
  request: Mine & { sid: string },
): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const isEnded = await context.revocation.revokeOne({ socketId: socket.id, sid: request.sid }, "kicked", {
    by: request.ownerId,
  });
  if (!isEnded) throw new ServiceError("not_found");
  return {};
}
