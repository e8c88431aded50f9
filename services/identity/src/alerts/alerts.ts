import type { Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { Mails } from "../accounts/mail.ts";
import type { AccountStore } from "../accounts/store.ts";
import type { SocketStore } from "../sockets/store.ts";

/** What an owner is told of their sockets without having asked. */
export const alertKinds = [
  /** Nothing of a member's, or of a key's from a network, is looked at for a while. */
  "lockout",
  /** Somebody came with a key that the owner has planted somewhere. */
  "canary-key",
  /** Likewise, as a member who is nobody. */
  "canary-member",
  /** Somebody was let into a decoy. */
  "decoy",
  /** Somebody was shown a server that they did not recognise. */
  "not-recognised",
  /** One network fails again and again. */
  "guessing",
  /** Far more is refused than usually. */
  "declines",
] as const;
export type AlertKind = (typeof alertKinds)[number];

export interface Alert {
  readonly kind: AlertKind;
  readonly socketId: string;
  /** Ids and counts by name, for the owner. No secret, no address. */
  readonly about: Readonly<Record<string, string | number>>;
}

export interface Alerts {
  /** Never rejects: it is for the owner, and nobody waits for it. */
  raise(alert: Alert): Promise<void>;
}

/** Anybody who gets as far as a handshake can bring one about: a mailbox is not for them to fill. */
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
    async raise({ kind, socketId, about }) {
      try {
        log.warn("alert", { kind, socket: socketId, ...about });
        if (kind !== "not-recognised") return;
        if ((await state.create(`identity:alert:${kind}:${socketId}`, Uint8Array.of(1), everyMs)) === null) return;
        const socket = await store.sockets.get(socketId);
        const owner = socket === null ? null : await owners.get(socket.body.ownerId);
        // An address that nobody has confirmed may be somebody else's.
        if (socket !== null && owner !== null && owner.body.emailVerifiedAtMs !== null)
          await mails.send(owner, kind, socket.body.label);
      } catch (error) {
        log.warn("an owner could not be alerted", { kind, socket: socketId }, error);
      }
    },
  };
}
