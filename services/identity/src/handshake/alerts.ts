import type { Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Mails } from "../accounts/mail.ts";
import type { AccountStore } from "../accounts/store.ts";
import type { SocketStore } from "../sockets/store.ts";

/** What an owner is told by mail of their sockets. */
export interface Alerts {
  /** Somebody was shown a server that they did not recognise. Never rejects: it is for the owner, and nobody waits for it. */
  notRecognised(socketId: string): Promise<void>;
}

/** Anybody who gets as far as a handshake can say so: a mailbox is not for them to fill. */
const everyMs = 3_600_000;

export function createAlerts(parts: {
  readonly store: SocketStore;
  readonly owners: AccountStore["owners"];
  readonly mails: Pick<Mails, "send">;
  readonly state: State;
  readonly log: Pick<Logger, "warn">;
}): Alerts {
  const { store, owners, mails, state, log } = parts;
  return {
    async notRecognised(socketId) {
      try {
        log.warn("somebody did not recognise the server", { socket: socketId });
        if ((await state.create(`identity:alert:not-recognised:${socketId}`, Uint8Array.of(1), everyMs)) === null)
          return;
        const socket = await store.sockets.get(socketId);
        const owner = socket === null ? null : await owners.get(socket.body.ownerId);
        // An address that nobody has confirmed may be somebody else's.
        if (socket !== null && owner !== null && owner.body.emailVerifiedAtMs !== null)
          await mails.send(owner, "not-recognised", socket.body.label);
      } catch (error) {
        log.warn("an owner could not be told that their server was not recognised", { socket: socketId }, error);
      }
    },
  };
}
