import { CryptoError, openRecord } from "@portcullis/crypto";
import {
  type Accepted,
  type CloseCodeName,
  closeCodes,
  ProtocolError,
  parseRecord,
  parseServerPlaintext,
  recordTypes,
  type SuiteId,
  utf8,
} from "@portcullis/protocol";
import { type Closing, closingOfCode, closingOfName, closingOfSealed } from "./closing.ts";
import { nameOf, ownError, PortcullisError } from "./errors.ts";
import { createInbox } from "./inbox.ts";
import { createMessageReader, type Message } from "./message.ts";
import type { Settings } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import type { Server } from "./question.ts";
import type { Incoming, Wire } from "./wire.ts";

/** What an accepted handshake yields. Iterate it for messages; `break` leaves it open. */
export interface Session extends AsyncIterable<Message> {
  readonly sid: string;
  /** Whom the server takes us for; merely claimed unless `assurance.memberBound`. */
  readonly member: string | null;
  readonly assurance: Readonly<Accepted["assurance"]>;
  /** All gates that were passed, in order. */
  readonly gates: readonly string[];
  /** SHA-256 of the policy version that was applied, base64url. */
  readonly policyHash: string;
  /** Id of the edge that holds the connection. */
  readonly edge: string;
  readonly server: Server;
  /** Epoch milliseconds of the server's clock. */
  readonly expiresAt: number;
  readonly limits: Readonly<Accepted["limits"]>;
  readonly suite: SuiteId;
  /**
   * Resolves when the message was handed to the platform. Rejects with `too-large` over `limits.maxBytes`, `unavailable` when too
   * many sends wait, `closed`.
   */
  send(message: string | Uint8Array): Promise<void>;
  /** Never rejects. */
  readonly closed: Promise<Closing>;
  /** Idempotent. Resolves when the connection is closed, after two seconds at the latest. */
  close(): Promise<void>;
}

const closeGraceMs = 2_000;

/** @param parts.secret of the server's application records; erased with the session. */
export function beginSession(parts: {
  readonly settings: Settings;
  readonly wire: Wire;
  readonly accepted: Accepted;
  readonly secret: Uint8Array;
  readonly server: Server;
  readonly suite: SuiteId;
  /** True for a record of the handshake: repeated, it means nothing. */
  readonly had: (frame: Uint8Array) => boolean;
}): Session {
  const { settings, wire, accepted, secret, server, suite, had } = parts;
  const { narrate, queueMax, queueBytesMax } = settings;
  const { signal } = settings.options;
  const closed = Promise.withResolvers<Closing>();
  const gone = Promise.withResolvers<void>();
  const inbox = createInbox<Message>(queueMax, queueBytesMax);
  const read = createMessageReader(accepted.sid);
  const outbox = createOutbox({
    wire,
    maxBytes: accepted.limits.maxBytes,
    perSecond: accepted.limits.perSecond,
    waitingMax: queueMax,
    waitingBytesMax: Math.max(queueBytesMax, accepted.limits.maxBytes),
    clock: settings.clock,
    onSent: (counter, bytes) => narrate("up", "message", { counter, bytes }),
  });
  let grace: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  let isGone = false;
  /** A sealed last word is being opened: nothing that comes after it counts. */
  let opening = false;

  /** @param error what reading ends with; null for an end like any other. */
  function end(closing: Closing, closeName: CloseCodeName, error: unknown = null): void {
    if (ended) return;
    ended = true;
    signal?.removeEventListener("abort", abort);
    secret.fill(0);
    outbox.end();
    inbox.end(error);
    wire.close(closeCodes[closeName].code, closeName);
    if (!isGone) grace = setTimeout(gone.resolve, closeGraceMs);
    closed.resolve(closing);
  }

  function fail(error: unknown): void {
    const own = ownError(error);
    const name = own instanceof PortcullisError && own.code === "too-large" ? "too-large" : "malformed";
    const closeName = error instanceof ProtocolError ? nameOf(error.code) : name;
    end(closingOfName(closeName, "protocol"), closeName, own);
  }

  function receive(incoming: Incoming): void {
    if (incoming.kind === "closed") {
      narrate("down", "close", { code: incoming.code });
      isGone = true;
      if (!opening) end(closingOfCode(incoming.code), "closed");
      clearTimeout(grace);
      gone.resolve();
      return;
    }
    if (ended || opening) return;
    try {
      if (incoming.kind === "text") throw new ProtocolError("out-of-order", "frame");
      const { bytes } = incoming;
      if (bytes[0] === recordTypes.messageDown) take(bytes);
      else if (bytes[0] === recordTypes.applicationDown) hearLastWord(bytes);
      else if (!had(bytes)) throw new ProtocolError("out-of-order", "record.type");
    } catch (error) {
      fail(error);
    }
  }

  function take(frame: Uint8Array): void {
    const message = read(frame);
    if (message === null) return;
    const { length } = message.bytes;
    if (length > accepted.limits.maxBytes) throw new ProtocolError("too-large", "message.body");
    narrate("down", "message", { seq: message.seq, bytes: length, own: message.own });
    if (message.own && !settings.echo) return;
    if (inbox.push(message, length)) return;
    const { code } = closeCodes["slow-consumer"];
    const closing = closingOfName("slow-consumer", "overflow");
    end(closing, "slow-consumer", new PortcullisError("closed", { closeCode: code }));
  }

  /** All that the server says under seal in a session ends it. */
  function hearLastWord(frame: Uint8Array): void {
    const record = parseRecord(frame);
    if (record.generation !== 0) throw new ProtocolError("out-of-order", "record.generation");
    opening = true;
    openRecord({ secret, record }).then(
      (bytes) => {
        try {
          const plaintext = parseServerPlaintext(bytes);
          if (plaintext.t !== "revoked" && plaintext.t !== "goodbye") throw new ProtocolError("out-of-order", "t");
          const { reason, name } = closingOfSealed(plaintext);
          narrate("down", plaintext.t, { reason, name });
          end(closingOfSealed(plaintext), "closed");
        } catch (error) {
          fail(error);
        }
      },
      () => fail(new CryptoError("record")),
    );
  }

  function abort(): void {
    end(closingOfName("closed", "local"), "closed");
  }

  signal?.addEventListener("abort", abort, { once: true });
  wire.attach(receive);
  if (signal?.aborted === true) abort();

  return {
    sid: accepted.sid,
    member: accepted.member ?? null,
    assurance: accepted.assurance,
    gates: accepted.gates,
    policyHash: accepted.policyHash,
    edge: server.edge,
    server,
    expiresAt: accepted.expiresAt,
    limits: accepted.limits,
    suite,
    send: (message) => outbox.send(typeof message === "string" ? utf8(message) : message),
    closed: closed.promise,
    close() {
      abort();
      return gone.promise;
    },
    [Symbol.asyncIterator]: () => inbox.iterate(),
  };
}
