import type { AccountContext } from "../accounts/context.ts";
import type { HandshakeStore } from "../handshake/store.ts";
import type { SocketContext } from "../sockets/context.ts";
import type { Invitations } from "./invitations.ts";

/** What operations on people of sockets stand on. */
export interface PeopleContext extends SocketContext {
  readonly accounts: AccountContext;
  readonly handshakes: Pick<HandshakeStore, "get">;
  readonly invitations: Invitations;
}

export interface Mine {
  /** The account of whoever asks. */
  readonly ownerId: string;
  readonly socketId: string;
}
