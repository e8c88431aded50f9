import {
  type CloseCodeName,
  closeCodes,
  isSealedBody,
  type MessageDown,
  type MessageUpHead,
  ProtocolError,
  type SuiteId,
  utf8,
} from "@portcullis/protocol";
import { type Closing, closingOfCode, closingOfName, closingOfSealed } from "./closing.ts";
import { createDirected } from "./directed.ts";
import { createDirectory } from "./end-to-end/directory.ts";
import { nameOf, ownError, PortcullisError } from "./errors.ts";
import { goOn } from "./going-on.ts";
import { createInbox } from "./inbox.ts";
import { createIntake } from "./intake.ts";
import type { Heard, Link } from "./link.ts";
import { createMessageReader, type Message } from "./message.ts";
import type { SessionState, Settings } from "./options.ts";
import { createOutbox } from "./outbox.ts";
import type { Known } from "./prompts/prompt.ts";
import type { Server } from "./question.ts";
import type { Receipt } from "./receipt.ts";
import type { Resumed } from "./resume.ts";
import { createSequencer } from "./sequencer.ts";
import type { OwnSession } from "./session.ts";
import { createStepUps } from "./step-ups.ts";
import type { Incoming } from "./wire.ts";

const closeGraceMs = 2_000;

/** @param parts.secret by which the session goes on over another connection; erased with the session. */
export function beginSession(parts: {
  readonly settings: Settings;
  readonly link: Link;
  readonly secret: Uint8Array;
  readonly server: Server & Known;
  readonly suite: SuiteId;
  readonly receipt: Receipt | null;
}): OwnSession {
  const { settings, server, suite } = parts;
  const { narrate, queueMax, queueBytesMax, clock } = settings;
  const { signal, onState } = settings.options;
  const { accepted } = parts.link;
  const { sid, limits, place = null, resumeMs = 0, role = "member", mode = "broadcast" } = accepted;
  /** What we say goes to one of the owner's programs. */
  const isHeardByOne = role === "member" && mode === "consumer";
  /** What the socket would refuse, and what the application has ruled out whatever the socket says. */
  const mustBeSealed =
    role === "member" && (accepted.endToEnd === "required" || settings.options.requireEndToEnd === true);
  const canResume = settings.resume && resumeMs > 0;
  const closed = Promise.withResolvers<Closing>();
  const gone = Promise.withResolvers<void>();
  const inbox = createInbox<Message>(queueMax, queueBytesMax);
  const read = createMessageReader(sid);
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
    deliver,
    onMissing: catchUp,
    onLost: () => tell({ is: "gap" }),
  });
  const directed = createDirected({
    send: (control) => void link?.ask(control).catch(() => {}),
    onArrived: (counter) => outbox.arrived(counter),
    onUndelivered: (counter) => tell({ is: "undelivered", seq: counter }),
  });
  const stepUps = createStepUps({ settings, server, hold: outbox.hold, tell });
  const intake = createIntake({
    framesMax: queueMax,
    bytesMax: queueBytesMax + limits.maxBytes,
    isCurrent: (from) => !ended && from === link,
    onHeard: hear,
    onUnknown: () => sequencer.ask(),
    onOverflow: overflow,
    onFailed: fail,
  });
  const resuming = new AbortController();
  let link: Link | null = null;
  let secret = parts.secret;
  let edge = server.edge;
  let words = parts.link.words;
  let { receipt } = parts;
  let grace: ReturnType<typeof setTimeout> | undefined;
  let ended = false;
  let isGone = false;

  function tell(state: SessionState): void {
    try {
      onState?.(state);
    } catch {
      // A listener that throws is its own problem.
    }
  }

  /** @param error what reading ends with; null for an end like any other. */
  function end(closing: Closing, closeName: CloseCodeName, error: unknown = null): void {
    if (ended) return;
    ended = true;
    signal?.removeEventListener("abort", abort);
    resuming.abort();
    secret.fill(0);
    stepUps.stop();
    outbox.end();
    sequencer.end();
    directed.end();
    inbox.end(error);
    const last = link;
    link = null;
    last?.wire.close(closeCodes[closeName].code, closeName);
    last?.erase();
    if (last === null || isGone) gone.resolve();
    else grace = setTimeout(gone.resolve, closeGraceMs);
    closed.resolve(closing);
  }

  function fail(error: unknown): void {
    const own = ownError(error);
    const name = own instanceof PortcullisError && own.code === "too-large" ? "too-large" : "malformed";
    const closeName = error instanceof ProtocolError ? nameOf(error.code) : name;
    end(closingOfName(closeName, "protocol"), closeName, own);
  }

  function attach(next: Link): void {
    link = next;
    isGone = false;
    intake.restart();
    outbox.attach(next, next.accepted.next ?? 0);
    next.wire.attach((incoming) => receive(next, incoming));
  }

  function receive(from: Link, incoming: Incoming): void {
    if (incoming.kind === "closed") {
      narrate("down", "close", { code: incoming.code });
      if (ended) {
        clearTimeout(grace);
        gone.resolve();
      } else if (from === link) {
        isGone = true;
        // What came before it may have been the last word.
        void intake.settled().then(() => lose(from, incoming.code));
      }
      return;
    }
    if (ended || from !== link) return;
    if (incoming.kind === "text") fail(new ProtocolError("out-of-order", "frame"));
    else intake.take(from, incoming.bytes);
  }

  function hear(from: Link, heard: Heard): void {
    switch (heard.t) {
      case "message":
        hearMessage(heard);
        break;
      case "tick":
        sequencer.reached(heard.place);
        break;
      case "grant":
        from.learn(heard.group);
        intake.retry(from);
        break;
      case "caught-up": {
        const { through, complete, more, group } = heard;
        narrate("down", "caught-up", { through, complete });
        if (group !== undefined) from.learn(group);
        // Behind what was put aside, which is here and only has to be opened.
        intake.retry(from, () => {
          sequencer.caughtUp(through, complete);
          if (more) sequencer.ask(through);
        });
        break;
      }
      case "challenge":
      case "wait":
      case "stepped-up":
        stepUps.hear(from, heard);
        break;
      case "revoked":
      case "goodbye": {
        const closing = closingOfSealed(heard);
        narrate("down", heard.t, { reason: closing.reason, name: closing.name });
        // A goodbye from who will be back is no reason to give up.
        const isPassing = heard.t === "goodbye" && closing.retry && canResume;
        if (!isPassing) end(closing, "closed");
        break;
      }
      default:
        directed.hear(heard);
    }
  }

  function hearMessage(message: MessageDown): void {
    const { length } = message.body;
    if (length > limits.maxBytes) throw new ProtocolError("too-large", "message.body");
    const { to } = message.head;
    if (to !== undefined && to !== sid) throw new ProtocolError("malformed", "message.head");
    if (place === null || to !== undefined) deliver(message);
    else if (message.head.place === undefined) throw new ProtocolError("malformed", "message.head");
    else sequencer.put(message.head.place, message, length);
  }

  function deliver(down: MessageDown): void {
    const message = read(down);
    if (message === null || ended) return;
    const { length } = message.bytes;
    narrate("down", "message", { seq: message.seq, bytes: length, own: message.own });
    // What another program of the owner's said to all is no word of a member's.
    if (role === "consumer" && mode === "consumer" && !message.direct && !message.own) return;
    if (message.own) {
      outbox.arrived(message.seq);
      if (!settings.echo) return;
    }
    if (!inbox.push(message, length)) overflow();
  }

  function overflow(): void {
    const { code } = closeCodes["slow-consumer"];
    const closing = closingOfName("slow-consumer", "overflow");
    end(closing, "slow-consumer", new PortcullisError("closed", { closeCode: code }));
  }

  function catchUp(after: number): void {
    if (link === null || place === null) return;
    narrate("up", "catch-up", { after });
    link.ask({ t: "catch-up", after }).catch(() => {});
  }

  function lose(from: Link, code: number): void {
    if (ended || from !== link) return;
    const closing = closingOfCode(code);
    // Whatever the code, it is anybody's word. Whether the session is over, the server says under seal when it is to go on.
    if (!canResume || clock() >= accepted.expiresAt) {
      end(closing, "closed");
      return;
    }
    link = null;
    from.erase();
    outbox.detach();
    stepUps.detach();
    tell({ is: "lost" });
    goOnBehind(closing).catch(() => end(closing, "closed"));
  }

  /** @param closing with which it ends where it does not go on */
  async function goOnBehind(closing: Closing): Promise<void> {
    const resumed = await goOn({
      settings,
      accepted,
      secret,
      fingerprint: server.successorOf ?? server.fingerprint,
      next: () => outbox.next,
      isRestart: closing.name === "restart",
      signal: resuming.signal,
    });
    if (resumed === null) end(closing, "closed");
    else if (ended) leave(resumed);
    else take(resumed);
  }

  function leave({ link: unwanted, secret: unused }: Resumed): void {
    unwanted.wire.close(closeCodes.closed.code, "closed");
    unwanted.erase();
    unused.fill(0);
  }

  function take(resumed: Resumed): void {
    secret.fill(0);
    ({ secret, edge, receipt } = resumed);
    words = resumed.link.words;
    attach(resumed.link);
    directed.attached();
    tell({ is: "resumed", edge });
    if (place === null) return;
    sequencer.reached(resumed.link.accepted.place ?? 0);
    sequencer.ask();
  }

  async function send(message: string | Uint8Array, head: MessageUpHead): Promise<void> {
    const bytes = typeof message === "string" ? utf8(message) : message;
    if (mustBeSealed && !isSealedBody(bytes)) throw new PortcullisError("unsupported");
    const counter = await outbox.send(bytes, head);
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
  attach(parts.link);
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
      return edge;
    },
    server,
    expiresAt: accepted.expiresAt,
    limits,
    suite,
    get words() {
      return words;
    },
    get receipt() {
      return receipt;
    },
    send: (message, { class: kind } = {}) => sent(send(message, kind === undefined ? {} : { class: kind })),
    sendTo: (to, message) => sent(send(message, { to })),
    directed,
    closed: closed.promise,
    close() {
      abort();
      return gone.promise;
    },
    [Symbol.asyncIterator]: () => inbox.iterate(),
  };
}
