import type { State } from "@portcullis/state";
import type { Attempts, Quota } from "../accounts/attempts.ts";
import type { Passwords } from "../accounts/passwords.ts";
import type { Alerts } from "../alerts/alerts.ts";
import type { SocketContext } from "../sockets/context.ts";
import type { TicketStore } from "./store.ts";

/** What operations on tickets stand on. */
export interface TicketContext extends SocketContext {
  readonly tickets: TicketStore;
  /** For passphrases of members, which must not use up what owners' passwords need. */
  readonly passphrases: Pick<Passwords, "matches">;
  /** Of each kind of secret its own. */
  readonly attempts: { readonly passphrase: Attempts; readonly passkey: Attempts };
  /** Of challenges for passkeys, per network: each is kept for five minutes. */
  readonly passkeyBegins: Quota;
  /** For whom and where a challenge is, without saying so. */
  readonly claimKey: Uint8Array;
  readonly state: State;
  readonly alerts: Alerts;
  /** Names a network, and does not tell it. */
  readonly networkTag: (address: string) => string;
}
