import type { Attempts } from "../accounts/attempts.ts";
import type { Passwords } from "../accounts/passwords.ts";
import type { SocketContext } from "../sockets/context.ts";
import type { TicketStore } from "./store.ts";

/** What operations on tickets stand on. */
export interface TicketContext extends SocketContext {
  readonly tickets: TicketStore;
  /** For passphrases of members, which must not use up what owners' passwords need. */
  readonly passphrases: Pick<Passwords, "matches">;
  readonly attempts: Attempts;
}
