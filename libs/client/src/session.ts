import type { EndToEndMode, MessagingMode, Role, SuiteId } from "@portcullis/protocol";
import type { Closing } from "./closing.ts";
import type { Directed } from "./directed.ts";
import type { SocketDirectory } from "./end-to-end/directory.ts";
import type { Message } from "./message.ts";
import type { Server } from "./question.ts";
import type { Receipt } from "./receipt.ts";

/** How sure the server is of who came in. */
export interface Assurance {
  /** An app key was proven. */
  readonly key: boolean;
  /** Some gate that only this member can pass was passed: `member` is more than a claim. */
  readonly memberBound: boolean;
  /** The gates passed that are bound to the member. */
  readonly gates: readonly string[];
}

/** What the server takes from one session. */
export interface SessionLimits {
  /** Of one message. */
  readonly maxBytes: number;
  /** Messages; `send` keeps to it by itself. */
  readonly perSecond: number;
}

/** What an accepted handshake yields. Iterate it for messages; `break` leaves it open. */
export interface Session extends AsyncIterable<Message> {
  readonly sid: string;
  /** Whom the server takes us for; merely claimed unless `assurance.memberBound`. */
  readonly member: string | null;
  /** What we are to the socket: one of its people, its owner, or the owner's program. */
  readonly role: Role;
  /** `consumer`: what members say goes to the owner's program, and to no member. */
  readonly mode: MessagingMode;
  readonly assurance: Assurance;
  /** All gates that were passed, in order. */
  readonly gates: readonly string[];
  /** SHA-256 of the policy version that was applied, base64url. */
  readonly policyHash: string;
  /** Messages travel sealed: only the server and those on the socket can read them. */
  readonly sealed: boolean;
  /** Label of the socket, as in the address that was connected to. */
  readonly label: string;
  /** Whether what is said can be sealed beyond the server, or of a member's must be. */
  readonly endToEnd: EndToEndMode | "off";
  /** To whom; for `createEndToEnd` and `createRecipient`. */
  readonly directory: SocketDirectory;
  /** Id of the edge that holds the connection, or held it last. */
  readonly edge: string;
  readonly server: Server;
  /** Epoch milliseconds of the server's clock. */
  readonly expiresAt: number;
  readonly limits: SessionLimits;
  /** Of the handshake that let in; where the session goes on, it does so under one that is good enough to its application, which may be another. */
  readonly suite: SuiteId;
  /** The weakest that is good enough to its application, as it has said. */
  readonly minSuite: SuiteId;
  /**
   * Six words that only the two sides of this connection have, or of the last one; others after it went on. Compare them with the owner, who has them in the list of sessions (`portcullis owner session list`):
   * where they are the same, nobody sits between.
   */
  readonly words: string;
  /**
   * The server's signature that it let us in: when, as whom, by which policy, over this connection, or the last one. Verified. Null: it gave none, since its key changed in that moment.
   */
  readonly receipt: Receipt | null;
  /**
   * Resolves when the message was handed to the platform; while the connection is lost, it waits for the next one. Rejects with `too-large`
   * over `limits.maxBytes`, `full` when too many sends wait or too much (`queueMax`, `queueBytesMax`), `closed` where the session ends before. What
   * a lost connection may have swallowed is sent again and arrives once. An aborted `signal` takes it back with `cancelled`, unless it may be on its way already.
   *
   * Where a member's messages go to the owner's program, it resolves when one has been handed to it, and rejects with `undelivered` where
   * there is none.
   *
   * With a `class` of the socket's policy it resolves when it has its place, which may take a step-up, and rejects with `closed` where that is
   * not passed. A class that the policy does not name ends the session.
   */
  send(
    message: string | Uint8Array,
    about?: { readonly class?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<void>;
  /** Never rejects. */
  readonly closed: Promise<Closing>;
  /** Idempotent. Resolves when the connection is closed, after two seconds at the latest. */
  close(): Promise<void>;
  /**
   * Closes it for good, and leaves nothing of it on this device: its keys, what waits to be sent and what was not read are overwritten, and
   * `onLogout` is called. Every later call rejects with `closed`; loops that wait end. Resolves when the connection is closed and `onLogout` is done, rejects
   * with what that throws; what is here is erased by then all the same.
   */
  logout(): Promise<void>;
}

/** What a session can do besides, where the server lets it. */
export interface OwnSession extends Session {
  /** To one session of the socket. Resolves when it was handed over; rejects with `undelivered` besides. */
  sendTo(sid: string, message: string | Uint8Array): Promise<void>;
  readonly directed: Directed;
  /** Resolves when its program has logged out, also where it had ended before: then it wants no other one either. */
  readonly loggedOut: Promise<void>;
}
