import {
  type DecoyScript,
  type DecoyView,
  forgetDecoys,
  keepDecoyScript,
  readDecoyRecords,
  readDecoyScript,
  ServiceError,
} from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import { requireSocket, type SocketContext } from "../sockets/context.ts";
import { pageOf } from "../sockets/page.ts";
import type { Intruders, Room } from "./rooms.ts";

export interface DecoyContext extends Pick<SocketContext, "store" | "caller"> {
  readonly intruders: Intruders;
  /** Of the decoys' world. */
  readonly sessions: Pick<SessionRegistry, "ofSocket">;
  readonly revocation: Pick<Revocation, "revoke">;
}

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

type Where = Mine & { readonly room: string };

export async function listDecoysOf(
  context: DecoyContext,
  { after, limit, ...mine }: Mine & { readonly after: string | null; readonly limit: number },
) {
  const { id } = await requireSocket(context, mine);
  const found = await context.intruders.list(id, { after, limit: limit + 1 });
  const present = await presentIn(context, id);
  const { items, next } = pageOf(
    found.map((room) => view(room, present)),
    limit,
    ({ room }) => room,
  );
  return { decoys: items, next };
}

export async function readDecoyOf(
  context: DecoyContext,
  { after, limit, ...where }: Where & { readonly after: number; readonly limit: number },
) {
  const room = await requireRoom(context, where);
  const page = await context.caller.call(readDecoyRecords, { room: room.id, after, limit });
  return { ...page, decoy: view(room, await presentIn(context, where.socketId)) };
}

/** First who comes again is looked at anew, then those who are in go: nobody slips back in between. */
export async function endDecoyOf(context: DecoyContext, where: Where): Promise<{ closed: number }> {
  const room = await requireRoom(context, where);
  await context.intruders.release(room);
  return { closed: await context.revocation.revoke(where.socketId, (session) => session.room === room.id, "kicked") };
}

export async function setDecoyScriptOf(
  context: DecoyContext,
  { script, ...mine }: Mine & { readonly script: DecoyScript | null },
) {
  const { id } = await requireSocket(context, mine);
  return context.caller.call(keepDecoyScript, { socketId: id, script });
}

export async function getDecoyScriptOf(context: DecoyContext, mine: Mine) {
  const { id } = await requireSocket(context, mine);
  return context.caller.call(readDecoyScript, { socketId: id });
}

/** The socket is being deleted, and nobody is let into its decoys any more. */
export async function forgetDecoysOf(
  { intruders, caller }: Pick<DecoyContext, "intruders" | "caller">,
  socketId: string,
): Promise<void> {
  await caller.call(forgetDecoys, { socketId });
  await intruders.forget(socketId);
}

async function requireRoom(context: DecoyContext, where: Where): Promise<Stored<Room>> {
  const { id } = await requireSocket(context, where);
  const room = await context.intruders.get(id, where.room);
  if (room === null) throw new ServiceError("not_found");
  return room;
}

async function presentIn({ sessions }: DecoyContext, socketId: string): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  for (const { room } of await sessions.ofSocket(socketId))
    if (room !== null) counts.set(room, (counts.get(room) ?? 0) + 1);
  return counts;
}

function view({ id, body }: Stored<Room>, present: ReadonlyMap<string, number>): DecoyView {
  const { keyId, member, network, sinceMs, lastMs } = body;
  return { room: id, keyId, member, network, sinceMs, lastMs, sessions: present.get(id) ?? 0 };
}
