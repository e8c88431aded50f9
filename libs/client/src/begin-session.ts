import {
  type CloseCodeName,
  closeCodes,
  encodeMessageUp,
  isSealedBody,
  type MessageDown,
  type MessageUpHead,
  ProtocolError,
  type SuiteId,
} from "@portcullis/protocol";
import { type Closing, closingOfName } from "./closing.ts";
import { createConnection, mayResume } from "./connection.ts";
import { createDirected } from "./directed.ts";
import { createDirectory } from "./end-to-end/directory.ts";
import { assertValid, nameOf, ownError, PortcullisError } from "./errors.ts";
import { createHearing } from "./hearing.ts";
import { createInbox } from "./inbox.ts";
import { createIntake } from "./intake.ts";
import type { Link } from "./link.ts";
import { bytesToSend, type Message } from "./message.ts";
import type { SessionState, Settings } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import type { Known } from "./prompts/prompt.ts";
import type { Server } from "./question.ts";
import type { Receipt } from "./receipt.ts";
import { createSequencer } from "./sequencer.ts";
import type { OwnSession } from "./session.ts";
import { createStepUps } from "./step-ups.ts";

/** @param parts.secret by which the session goes on over another connection; erased with the session. */
export function beginSession(parts: {
  readonly settings: Settings;
  readonly link: Link;
  readonly secret: Uint8Array;
  readonly server: Server & Known;
  readonly suite: SuiteId;
  readonly receipt: Receipt | null;
}): OwnSession {
  const { settings, server, suite, secret, receipt } = parts;
  const { narrate, queueMax, queueBytesMax, clock } = settings;
  const { signal, onState } = settings.options;
  const { accepted } = parts.link;
  const { sid, limits, place = null, role = "member", mode = "broadcast" } = accepted;
  /** What we say goes to one of the owner's programs. */
  const isHeardByOne = role === "member" && mode === "consumer";
  /** What the socket would refuse, and what the application has ruled out whatever the socket says. */
  const mustBeSealed =
    role === "member" && (accepted.endToEnd === "required" || settings.options.requireEndToEnd === true);
  const canResume = mayResume(settings, parts.link);
  const closed = Promise.withResolvers<Closing>();
  const loggedOut = Promise.withResolvers<void>();
  const inbox = createInbox<Message>(queueMax, queueBytesMax, ({ bytes }) => bytes.fill(0));
  const outbox = createOutbox({
    maxBytes: limits.maxBytes,
    perSecond: limits.perSecond,
    waitingMax: queueMax,
    waitingBytesMax: Math.max(queueBytesMax, limits.maxBytes),
    keeps: canResume,
    clock,
    onSent: (counter, bytes) => narrate("up", "message", { counter, bytes }),
  });
  const sequencer = createSequencer<MessageDown>({
    after: place ?? 0,
    heldMax: queueMax,
    heldBytesMax: queueBytesMax,
    deliver: (message) => hearing.deliver(message),
    erase: ({ body }) => body.fill(0),
    onMissing: catchUp,
    onLost: () => tell({ is: "gap" }),
  });
  const directed = createDirected({
    send: (control) => void connection.link?.ask(control).catch(() => {}),
    onArrived: (counter) => outbox.arrived(counter),
    onUndelivered: (counter) => tell({ is: "undelivered", seq: counter }),
  });
  const stepUps = createStepUps({ settings, server, hold: outbox.hold, tell });
  const intake = createIntake({
    framesMax: queueMax,
    bytesMax: queueBytesMax + limits.maxBytes,
    isCurrent: (from) => !connection.ended && from === connection.link,
    onHeard: (from, heard) => hearing.hear(from, heard),
    onUnknown: () => sequencer.ask(),
    onOverflow: overflow,
    onFailed: fail,
  });
  const hearing = createHearing({
    ...{ settings, accepted, canResume, inbox, outbox, sequencer, directed, stepUps, intake },
    isOver: () => connection.ended,
    onOverflow: overflow,
    end,
  });
  const connection = createConnection({
    ...{ settings, first: parts.link, secret, server, receipt },
    next: () => outbox.next,
    onAttached(link) {
      intake.restart();
      outbox.attach(link, link.accepted.next ?? 0);
    },
    onReceived(from, frame) {
      if (frame.kind === "text") fail(new ProtocolError("out-of-order", "frame"));
      else intake.take(from, frame.bytes);
    },
    settled: intake.settled,
    onDetached() {
      outbox.detach();
      stepUps.detach();
      tell({ is: "lost" });
    },
    onResumed(link, edge) {
      directed.attached();
      tell({ is: "resumed", edge });
      if (place === null) return;
      sequencer.reached(link.accepted.place ?? 0);
      sequencer.ask();
    },
    onOver: (closing) => end(closing, "closed"),
  });

  function tell(state: SessionState): void {
    try {
      onState?.(state);
    } catch {
      // A listener that throws is its own problem.
    }
  }

  /** @param error what reading ends with; null for an end like any other. */
  function end(closing: Closing, closeName: CloseCodeName, error: unknown = null): void {
    if (connection.ended) return;
    signal?.removeEventListener("abort", abort);
    connection.end(closeName);
    stepUps.stop();
    outbox.end();
    sequencer.end();
    directed.end();
    inbox.end(error);
    closed.resolve(closing);
  }

  function fail(error: unknown): void {
    const own = ownError(error);
    const name = own instanceof PortcullisError && own.code === "too-large" ? "too-large" : "malformed";
    const closeName = error instanceof ProtocolError ? nameOf(error.code) : name;
    end(closingOfName(closeName, "protocol"), closeName, own);
  }

  function overflow(): void {
    const { code } = closeCodes["slow-consumer"];
    const closing = closingOfName("slow-consumer", "overflow");
    const message = "Nobody read the session: more than queueMax or queueBytesMax waited.";
    end(closing, "slow-consumer", new PortcullisError("closed", { closeCode: code, message }));
  }

  function catchUp(after: number): void {
    if (connection.link === null || place === null) return;
    narrate("up", "catch-up", { after });
    connection.link.ask({ t: "catch-up", after }).catch(() => {});
  }

  async function send(message: string | Uint8Array, head: MessageUpHead, signal?: AbortSignal): Promise<void> {
    const bytes = bytesToSend(message);
    if (mustBeSealed && !isSealedBody(bytes)) throw new PortcullisError("unsupported");
    // With a number it would have to be sent.
    assertValid(() => encodeMessageUp({ counter: 0, head, body: new Uint8Array() }));
    const counter = await outbox.send(bytes, head, signal);
    if (isHeardByOne || head.to !== undefined) await directed.arrival(counter);
  }

  /** Who does not wait for it is told by `onState`. */
  function sent(sending: Promise<void>): Promise<void> {
    sending.catch(() => {});
    return sending;
  }

  function abort(): void {
    end(closingOfName("closed", "local"), "closed");
  }

  signal?.addEventListener("abort", abort, { once: true });
  connection.begin();
  if (signal?.aborted === true) abort();

  return {
    sid,
    member: accepted.member ?? null,
    role,
    mode,
    assurance: accepted.assurance,
    gates: accepted.gates,
    policyHash: accepted.policyHash,
    sealed: accepted.sealed,
    label: settings.address.dst.label,
    endToEnd: accepted.endToEnd ?? "off",
    directory: createDirectory(directed),
    get edge() {
      return connection.edge;
    },
    server,
    expiresAt: accepted.expiresAt,
    limits,
    suite,
    minSuite: settings.options.minSuite ?? "0020",
    get words() {
      return connection.words;
    },
    get receipt() {
      return connection.receipt;
    },
    send: (message, { class: kind, signal: own } = {}) =>
      sent(send(message, kind === undefined ? {} : { class: kind }, own)),
    sendTo: (to, message) => sent(send(message, { to })),
    directed,
    closed: closed.promise,
    loggedOut: loggedOut.promise,
    close() {
      abort();
      return connection.gone;
    },
    async logout() {
      loggedOut.resolve();
      abort();
      inbox.wipe(new PortcullisError("closed", { retryable: false }));
      await Promise.all([connection.gone, settings.options.onLogout?.()]);
    },
    [Symbol.asyncIterator]: () => inbox.iterate(),
  };
}
