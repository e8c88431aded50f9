import type { WaitView } from "@portcullis/contracts";
import type { Clock, Logger } from "@portcullis/runtime";
import type { Quota } from "../accounts/attempts.ts";
import type { Mails } from "../accounts/mail.ts";
import { hashOf } from "../secrets.ts";
import type { SocketStore } from "../sockets/store.ts";
import { approversOf } from "./rights.ts";

/** A wait that has just begun. */
export interface Begun {
  readonly waitId: string;
  readonly socketId: string;
  /** Of its gate, as the policy has it. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly untilMs: number;
  readonly view: WaitView;
}

/**
 * Tells the socket's approvers by mail that somebody waits, where the policy says so: once for each wait however often it is asked for, and
 * not more than the quotas let through. Never rejects: whoever waits can be let in by who looks by themselves.
 */
export type Announce = (begun: Begun) => Promise<void>;

export function createAnnounce(options: {
  readonly store: SocketStore;
  readonly mails: Pick<Mails, "sendAbout">;
  /** By account and socket, then by account. */
  readonly quotas: readonly [perSocket: Quota, perAccount: Quota];
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}): Announce {
  const { store, mails, clock, log } = options;
  const [perSocket, perAccount] = options.quotas;

  async function tell({ waitId, socketId, untilMs }: Begun): Promise<void> {
    const socket = await store.sockets.get(socketId);
    if (socket === null) return;
    for (const { accountId } of await approversOf(store, socket)) {
      if (!(await perSocket.take(`${socketId} ${accountId}`)) || !(await perAccount.take(accountId))) continue;
      const id = hashOf(`${waitId} ${accountId}`);
      const expiresAtMs = Math.max(untilMs, clock() + 1);
      await mails.sendAbout({ id, accountId, purpose: "approval", about: socketId, expiresAtMs });
    }
  }

  return async (begun) => {
    const { prompt, status } = begun.view;
    if (prompt.by !== "approval" || status !== "sent" || begun.config.notify !== "mail") return;
    await tell(begun).catch((error: unknown) => log.warn("approvers were not told", { socket: begun.socketId }, error));
  };
}
