import type { Logger } from "@portcullis/runtime";

/** What is recorded of a socket. */
export const auditEvents = [
  "accepted",
  "resumed",
  "stepped-up",
  "denied",
  /** Before the policy had a say; summed up, since strangers can bring it about as often as they like. */
  "turned-away",
  "held",
  "released",
  "decoy",
  "session-ended",
  "socket-changed",
  "key-made",
  "key-revoked",
  "member-added",
  "member-changed",
  "member-removed",
  "person-changed",
  "approval-decided",
  "alerted",
] as const;
export type AuditEvent = (typeof auditEvents)[number];

/** Ids only: what they stand for is kept elsewhere, so that a person can be forgotten and the chain still verifies. */
export interface Entry {
  readonly event: AuditEvent;
  /** The true one, by whoever decided it. */
  readonly cause?: string;
  readonly handshake?: string;
  readonly session?: string;
  /** Id of the member, not the name. */
  readonly member?: string;
  readonly key?: string;
  readonly gate?: string;
  /** HMAC of the network. */
  readonly network?: string;
  /** Account of whoever did it. */
  readonly by?: string;
  /** How often, where it is a sum. */
  readonly count?: number;
  readonly about?: Readonly<Record<string, string | number>>;
}

/** The book of a socket: each entry is chained to the one before, and none is ever changed. */
export interface Audit {
  /** Resolves when it is written. Those who need not wait do not: it never rejects, and a failure is in the log. */
  note(socketId: string, entry: Entry): Promise<void>;
}

export function createAudit({ log }: { readonly log: Pick<Logger, "info"> }): Audit {
  return {
    async note(socketId, { about = {}, ...entry }) {
      log.info("audit", { socket: socketId, ...entry, ...about });
    },
  };
}
