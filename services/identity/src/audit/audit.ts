import type { AuditEntry } from "@portcullis/contracts";

export { type AuditEvent, auditEvents } from "@portcullis/contracts";

/** Ids only: what they stand for is kept elsewhere, so that a person can be forgotten and the chain still verifies. */
export interface Entry {
  readonly event: AuditEntry["event"];
  /** The true one, by whoever decided it. */
  readonly cause?: string;
  /** Id of the connection, or of the step-up, in which it was decided. */
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
  /**
   * Resolves when it is written, or after a few seconds: it stays in the queue then. Those who need not wait do not: it never rejects, and what is lost is
   * in the log and counted.
   */
  note(socketId: string, entry: Entry): Promise<void>;
  /** For what must not happen unrecorded. @throws {ServiceError} unavailable: it is not written in time, and is to be undone */
  require(socketId: string, entry: Entry): Promise<void>;
}

/** Fields that may not be there, without those that are not. */
export function present<T extends Readonly<Record<string, string | null | undefined>>>(
  fields: T,
): { [K in keyof T]?: string } {
  const found: { [K in keyof T]?: string } = {};
  for (const key in fields) {
    const value = fields[key];
    if (typeof value === "string") found[key] = value;
  }
  return found;
}
