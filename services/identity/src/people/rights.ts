import type { SocketRole } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Socket } from "../sockets/store.ts";
import type { PeopleStore } from "./store.ts";

/** `read`: the socket, its policy, who is on it. `approve`: also who waits, and to decide. `own`: everything; whatever changes something is that. */
export type Right = "read" | "approve" | "own";

const rights: Readonly<Record<SocketRole, readonly Right[]>> = {
  owner: ["read", "approve", "own"],
  approver: ["read", "approve"],
  viewer: ["read"],
};

export function hasRight(role: SocketRole, right: Right): boolean {
  return rights[role].includes(right);
}

/** What an account is to a socket; null: a stranger. */
export async function roleOn(
  store: Pick<PeopleStore, "people">,
  { id, body }: Stored<Socket>,
  accountId: string,
): Promise<SocketRole | null> {
  if (body.ownerId === accountId) return "owner";
  const person = await store.people.findOne({ socketId: id, accountId });
  return person === null || person.body.goneAtMs !== null ? null : person.body.role;
}

/** An account's right to approve, by a name that is another one when it was taken away and given again. */
export interface Approver {
  readonly accountId: string;
  readonly grant: string;
}

/** Everybody who may approve on a socket, its owner first. */
export async function approversOf(
  store: Pick<PeopleStore, "people">,
  { id, body }: Stored<Socket>,
): Promise<Approver[]> {
  const people = await store.people.find({ socketId: id }, { limit: 1000 });
  return [
    // A socket never changes hands.
    { accountId: body.ownerId, grant: body.ownerId },
    ...people
      .filter(({ body: { role, goneAtMs } }) => goneAtMs === null && hasRight(role, "approve"))
      .map(({ body: { accountId, grant } }) => ({ accountId, grant })),
  ];
}
