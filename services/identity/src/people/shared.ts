import type { InvitedRole } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { deleteAll } from "../accounts/store.ts";
import type { PageRequest } from "../sockets/page.ts";
import type { Socket, SocketStore } from "../sockets/store.ts";

/** An account is invited to no more sockets of others than that. */
export const sharedMax = 200;

/** Sockets of others on which an account may do something, in the order of their ids. */
export async function sharedWith(
  store: Pick<SocketStore, "people" | "sockets">,
  accountId: string,
  { after, limit }: PageRequest,
): Promise<{ readonly socket: Stored<Socket>; readonly role: InvitedRole }[]> {
  const people = await store.people.find({ accountId }, { limit: sharedMax });
  const isBehind = (id: string) => after === null || Buffer.compare(Buffer.from(id), Buffer.from(after)) > 0;
  const next = people
    .filter(({ body }) => body.goneAtMs === null && isBehind(body.socketId))
    .toSorted((a, b) => Buffer.compare(Buffer.from(a.body.socketId), Buffer.from(b.body.socketId)));
  const found = await Promise.all(
    next.map(async ({ body: { socketId, role } }) => ({ socket: await store.sockets.get(socketId), role })),
  );
  // One that is being deleted is its owner's business.
  return found
    .flatMap(({ socket, role }) => (socket === null || socket.body.goneAtMs !== null ? [] : [{ socket, role }]))
    .slice(0, limit);
}

/** With their socket. */
export async function forgetPeople(
  { people, invitations }: Pick<SocketStore, "people" | "invitations">,
  socketId: string,
): Promise<void> {
  await deleteAll(invitations, { socketId });
  await deleteAll(people, { socketId });
}
