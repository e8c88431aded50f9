import type { Caller } from "@portcullis/bus";
import { ServiceError, type SocketRole } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Clock, Ids, Logger, Vault } from "@portcullis/runtime";
import type { Passwords } from "../accounts/passwords.ts";
import type { Audit } from "../audit/audit.ts";
import type { Intruders } from "../decoy/rooms.ts";
import { hasRight, type Right, roleOn } from "../people/rights.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import type { PathTag } from "./paths.ts";
import type { Member, Socket, SocketStore } from "./store.ts";

/** What all operations on sockets stand on. */
export interface SocketContext {
  readonly store: SocketStore;
  readonly pathTag: PathTag;
  readonly vault: Vault;
  readonly passwords: Passwords;
  readonly sessions: SessionRegistry;
  readonly revocation: Revocation;
  readonly audit: Audit;
  /** All that was recorded of a socket, once it is gone. */
  readonly forgetBook: (socketId: string) => Promise<void>;
  readonly intruders: Intruders;
  readonly caller: Caller;
  /** Where passkeys are used, unless the owner says; null: this server is reached by an IP address, and the owner has to. */
  readonly relyingParty: string | null;
  readonly clock: Clock;
  readonly log: Logger;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
}

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

/**
 * @param who.ownerId the account of whoever asks
 * @param right what is to be done, the owner's alone unless said otherwise
 * @throws {ServiceError} not_found, alike for what is not there, what is being deleted, and what who asks has no right to
 */
export async function requireSocket(
  context: Pick<SocketContext, "store">,
  who: Mine,
  right: Right = "own",
): Promise<Stored<Socket>> {
  return (await requireRole(context, who, right)).socket;
}

/** The same, and what who asks is to the socket. */
export async function requireRole(context: Pick<SocketContext, "store">, who: Mine, right: Right): Promise<InRole> {
  const found = await requireRight(context, who, right);
  if (found.socket.body.goneAtMs !== null) throw new ServiceError("not_found");
  return found;
}

interface InRole {
  readonly socket: Stored<Socket>;
  readonly role: SocketRole;
}

/** Also one whose deletion was begun and not finished. */
export async function requireOwnSocket(context: SocketContext, who: Mine): Promise<Stored<Socket>> {
  return (await requireRight(context, who, "own")).socket;
}

/** The one place where it is decided who may do what on a socket. */
async function requireRight(
  { store }: Pick<SocketContext, "store">,
  { socketId, ownerId }: Mine,
  right: Right,
): Promise<InRole> {
  const socket = await store.sockets.get(socketId);
  const role = socket === null ? null : await roleOn(store, socket, ownerId);
  if (socket === null || role === null || !hasRight(role, right)) throw new ServiceError("not_found");
  return { socket, role };
}

export async function requireMember(context: SocketContext, socketId: string, name: string): Promise<Stored<Member>> {
  const member = await context.store.members.findOne({ socketId, name });
  if (member === null || member.body.goneAtMs !== null) throw new ServiceError("not_found");
  return member;
}
