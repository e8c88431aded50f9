import type { Caller } from "@portcullis/bus";
import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Clock, Ids, Vault } from "@portcullis/runtime";
import type { Passwords } from "../accounts/passwords.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import type { PathTags } from "./paths.ts";
import type { Member, Socket, SocketStore } from "./store.ts";

/** What all operations on sockets stand on. */
export interface SocketContext {
  readonly store: SocketStore;
  readonly paths: PathTags;
  readonly vault: Vault;
  readonly passwords: Passwords;
  readonly sessions: SessionRegistry;
  readonly revocation: Revocation;
  readonly caller: Caller;
  /** Where passkeys are used, unless the owner says. */
  readonly relyingParty: string;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
}

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

/** @throws {ServiceError} not_found, alike for what is not there, what is being deleted and what is somebody else's. */
export async function requireSocket(context: Pick<SocketContext, "store">, who: Mine): Promise<Stored<Socket>> {
  const socket = await requireOwnSocket(context, who);
  if (socket.body.goneAtMs !== null) throw new ServiceError("not_found");
  return socket;
}

/** Also one whose deletion was begun and not finished. */
export async function requireOwnSocket(context: Pick<SocketContext, "store">, who: Mine): Promise<Stored<Socket>> {
  const socket = await context.store.sockets.get(who.socketId);
  if (socket === null || socket.body.ownerId !== who.ownerId) throw new ServiceError("not_found");
  return socket;
}

export async function requireMember(context: SocketContext, socketId: string, name: string): Promise<Stored<Member>> {
  const member = await context.store.members.findOne({ socketId, name });
  if (member === null || member.body.goneAtMs !== null) throw new ServiceError("not_found");
  return member;
}
