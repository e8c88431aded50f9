import type { Caller } from "@portcullis/bus";
import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Clock, Ids, Vault } from "@portcullis/runtime";
import type { Passwords } from "../accounts/passwords.ts";
import type { SessionRegistry } from "../sessions/registry.ts";
import type { Revocation } from "../sessions/revocation.ts";
import type { Member, Socket, SocketStore } from "./store.ts";

/** What all operations on sockets stand on. */
export interface SocketContext {
  readonly store: SocketStore;
  readonly pathKey: Uint8Array;
  readonly vault: Vault;
  readonly passwords: Passwords;
  readonly sessions: SessionRegistry;
  readonly revocation: Revocation;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
}

/** @throws {ServiceError} not_found, alike for what is not there and what is somebody else's. */
export async function requireSocket(
  context: SocketContext,
  who: { ownerId: string; socketId: string },
): Promise<Stored<Socket>> {
  const socket = await context.store.sockets.get(who.socketId);
  if (socket === null || socket.body.ownerId !== who.ownerId) throw new ServiceError("not_found");
  return socket;
}

export async function requireMember(context: SocketContext, socketId: string, name: string): Promise<Stored<Member>> {
  const member = await context.store.members.findOne({ socketId, name });
  if (member === null) throw new ServiceError("not_found");
  return member;
}
