import type { Duplex } from "node:stream";
import { context } from "@opentelemetry/api";
import type { Caller } from "@portcullis/bus";
import {
  type Admitted,
  type ConnectionFacts,
  handshakeLeft,
  handshakeOpen,
  handshakeRecord,
  type Step,
  sessionEnded,
} from "@portcullis/contracts";
import {
  type CloseCodeName,
  closeCodeOf,
  closeCodes,
  encodeHello,
  formatHandshakeId,
  limits,
  ProtocolError,
  parseOpen,
} from "@portcullis/protocol";
import type { Clock, Ids, Logger, Random } from "@portcullis/runtime";
import { WebSocket } from "ws";
import type { ExpiryWords } from "../sessions/expiry-words.ts";
import type { FanOut, Membership } from "../sessions/fan-out.ts";
import type { Farewell, LiveSession, SessionRegistry } from "../sessions/registry.ts";
import { type EdgeTelemetry, type HandshakeOutcome, outcomeOfClose } from "../telemetry.ts";
import type { EdgeSocket } from "../wire/edge-socket.ts";
import { startHeartbeat } from "../wire/heartbeat.ts";
import { createOutbound } from "../wire/outbound.ts";
import { serverFrame } from "../wire/server-frame.ts";
import { createTimer } from "../wire/timer.ts";
import { type Asked, askKeys } from "./ask-keys.ts";
import type { BundleKeeper } from "./bundle-keeper.ts";
import { misfitOf, requireRecord } from "./handshake-record.ts";
import { createUpstream, type Upstream } from "./upstream.ts";
import { whyOf } from "./why-left.ts";

export interface ConnectionDeps {
  /** First part of every handshake id. */
  readonly instance: string;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: Random;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  readonly telemetry: EdgeTelemetry;
  readonly bundles: BundleKeeper;
  readonly sessions: SessionRegistry;
  readonly fanOut: FanOut;
  readonly expiryWords: ExpiryWords;
  readonly openTimeoutMs: number;
  readonly slowReaderBytes: number;
  readonly pingIntervalMs: number;
}

/** An upgrade that was accepted. */
export interface Arrival {
  readonly websocket: EdgeSocket;
  /** The connection under it. */
  readonly socket: Duplex;
  readonly facts: ConnectionFacts;
  /** For logs, instead of label and path. */
  readonly pathTag: string;
}

export interface Connection {
  /** Idempotent. */
  terminate(name: CloseCodeName): void;
  /** Resolves when nothing is left of it. */
  readonly gone: Promise<void>;
}

/**
 *     awaiting-open ─open→ asking ─step→ awaiting-record ─record→ asking ─ … ─accepted→ admitting → session ─→ expiring
 *     and from each of them → closed
 */
type Phase = "awaiting-open" | "asking" | "awaiting-record" | "admitting" | "session" | "expiring" | "closed";

interface Frame {
  readonly data: Buffer;
  readonly binary: boolean;
}

// What may wait while a question is under way, records only: a client that answers in time has no reason to send more.
const queuedFramesMax = 4;
const queuedBytesMax = 16 * 1_024;
// For the headers of frames, which the protocol's limit on what a stranger may send does not count.
const framingBytesMax = 4 * 1_024;
/** How long a peer may take to answer a close before the connection is cut. */
const closeGraceMs = 1_000;

/** One WebSocket from hello to close. Only `terminate` ends it, whoever wants that and however often. */
export function beginConnection({ websocket, socket, facts, pathTag }: Arrival, deps: ConnectionDeps): Connection {
  const { caller, clock, ids, random, log, telemetry, bundles, sessions, fanOut } = deps;
  const handshake = telemetry.handshake();
  const hid = formatHandshakeId(deps.instance, random(16));
  const nonce = random(32);
  const bundle = bundles.current();
  const deadline = createTimer(clock);
  const expiry = createTimer(clock);
  const gone = Promise.withResolvers<void>();
  const outbound = createOutbound(websocket, socket, deps.slowReaderBytes, () => terminate("slow-consumer"));

  let phase: Phase = "awaiting-open";
  let queue: Frame[] = [];
  let frames = 0;
  let payloadBytes = 0;
  let rawBytes = 0;
  let overdue = false;
  /** `keys` has heard of this handshake. */
  let opened = false;
  let verdict = false;
  let admitted: Admitted | null = null;
  let upstream: Upstream | null = null;
  let membership: Membership | null = null;
  let registered: LiveSession | null = null;
  let cut: NodeJS.Timeout | undefined;

  telemetry.opened();

  function receive(data: Buffer, binary: boolean): void {
    if (phase === "closed" || phase === "expiring") return;
    const frame = { data, binary };
    const problem = phase === "session" ? (upstream?.message(data, binary) ?? null) : problemWith(frame);
    if (problem !== null) refuse(problem);
    else if (phase === "awaiting-open" || phase === "awaiting-record") take(frame);
    else if (phase === "asking" || phase === "admitting") queue.push(frame);
  }

  function problemWith({ data, binary }: Frame): CloseCodeName | null {
    frames += 1;
    payloadBytes += data.length;
    if (frames > limits.handshakeFrames) return "out-of-order";
    if (payloadBytes > limits.unauthenticatedBytes) return "too-large";
    if (data.length > (binary ? limits.handshakeRecordBytes : limits.openBytes)) return "too-large";
    if (phase === "awaiting-open" || phase === "awaiting-record") return null;
    // Refused now and not in its turn: what is under way may be an accept, and behind that it would look like a session's.
    const misfit = misfitOf(data, binary);
    if (misfit !== null) return misfit;
    if (queue.length >= queuedFramesMax) return "out-of-order";
    return queue.reduce((sum, frame) => sum + frame.data.length, data.length) > queuedBytesMax ? "too-large" : null;
  }

  function take({ data, binary }: Frame): void {
    try {
      if (phase === "awaiting-open") takeOpen(data, binary);
      else takeRecord(data, binary);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      refuse(error.code);
    }
  }

  function takeOpen(data: Buffer, binary: boolean): void {
    if (binary || bundle === null) throw new ProtocolError("out-of-order", "frame");
    parseOpen(data.toString("utf8"));
    deadline.clear();
    opened = true;
    const { kid, replica } = bundle;
    const body = { kid, hid, nonce, open: data, connection: facts };
    ask(() => caller.call(handshakeOpen, body, { route: replica }), "expired-bundle");
  }

  function takeRecord(data: Buffer, binary: boolean): void {
    requireRecord(data, binary);
    ask(() => caller.call(handshakeRecord, { hid, record: data }), "unavailable");
  }

  /** One question at a time: what the client sends next may depend on the answer. */
  function ask(call: () => Promise<Step>, notFound: CloseCodeName): void {
    phase = "asking";
    context
      .with(handshake.context, () => answer(call, notFound))
      .catch((error: unknown) => {
        log.error("a step of a handshake failed", { path: pathTag }, error);
        terminate("unavailable");
      });
  }

  async function answer(call: () => Promise<Step>, notFound: CloseCodeName): Promise<void> {
    const asked = await askKeys(call, notFound);
    if ("failed" in asked) await giveUp(asked);
    else {
      verdict = asked.step.admitted !== null || asked.step.close !== null;
      // The replica was started anew under its old name: every hello with this bundle would end the same way.
      if (bundle !== null && asked.step.close === closeCodes["expired-bundle"].code) bundles.discard(bundle, "key");
      await (hasClosed() ? settle(asked.step) : proceed(asked.step));
    }
  }

  async function giveUp({ failed, cause }: Extract<Asked, { failed: unknown }>): Promise<void> {
    if (bundle !== null && (cause === "unavailable" || cause === "not_found")) {
      bundles.discard(bundle, cause === "unavailable" ? "replica" : "key");
    }
    if (hasClosed()) left("closed");
    else {
      phase = "awaiting-record";
      terminate(failed);
    }
  }

  /** The client went while the answer was on its way: what it would have become must not stay in the books. */
  async function settle(step: Step): Promise<void> {
    if (step.admitted !== null) ended(step.admitted);
    else if (!verdict) left("closed");
  }

  async function proceed(step: Step): Promise<void> {
    if (step.admitted !== null) {
      await admit(step.admitted, step);
      return;
    }
    write(step);
    phase = "awaiting-record";
    if (step.deadlineMs !== null) {
      overdue = false;
      deadline.at(step.deadlineMs, onDeadline);
    }
    if (step.close !== null) end(step.close, closeCodeOf(step.close)?.name ?? "");
    else if (overdue) terminate("deadline");
    else {
      const next = queue.shift();
      if (next !== undefined) take(next);
    }
  }

  async function admit(who: Admitted, step: Step): Promise<void> {
    phase = "admitting";
    deadline.clear();
    admitted = who;
    // First listen, then say so: the client must hear everything that is said after it was let in.
    const joined = await fanOut.join(who.socketId).catch(() => null);
    if (joined === null || hasClosed()) {
      joined?.leave();
      terminate("unavailable");
      return;
    }
    membership = joined;
    write(step);
    const session: LiveSession = {
      sid: who.sid,
      socketId: who.socketId,
      write: outbound.write,
      flush: outbound.flush,
      end: bidFarewell,
      expire,
    };
    const farewell = sessions.add(session);
    if (farewell === null) begin(who, session, joined);
    else bidFarewell(farewell);
  }

  function begin(who: Admitted, session: LiveSession, joined: Membership): void {
    registered = session;
    // Offers that were under way when one of them was enough.
    queue = [];
    socket.off("data", count);
    upstream = createUpstream({ admitted: who, caller, clock, ids, telemetry });
    expiry.at(who.expiresAtMs, expire);
    phase = "session";
    log.info("handshake ended", { outcome: "accept", path: pathTag, frames });
    handshake.end("accept", null, frames);
    joined.add(session);
  }

  /** The connection stays only until the last word is there, and not for long; nothing is delivered meanwhile. */
  function expire(): void {
    if (phase !== "session" || registered === null) return;
    phase = "expiring";
    expiry.clear();
    membership?.leave();
    const { code: closeCode } = closeCodes["session-expired"];
    void deps.expiryWords.of(registered.sid).then((frame) => {
      if (!hasClosed()) bidFarewell({ frame, closeCode });
    });
  }

  function bidFarewell({ frame, closeCode }: Farewell): void {
    if (frame !== null) outbound.write(serverFrame(frame));
    end(closeCode, closeCodeOf(closeCode)?.name ?? "");
  }

  function write({ frames: outgoing }: Step): void {
    for (const { kind, data } of outgoing) websocket.send(data, { binary: kind === "binary" });
  }

  function onDeadline(): void {
    // The client was in time; what takes long is ours.
    if (phase === "asking") overdue = true;
    else terminate("deadline");
  }

  function refuse(name: CloseCodeName): void {
    if (phase !== "closed" && name !== "rate" && name !== "unavailable") telemetry.malformed(closeCodes[name].code);
    terminate(name);
  }

  function terminate(name: CloseCodeName): void {
    end(closeCodes[name].code, name);
  }

  /** @param closeCode null: the peer closed, or the connection broke */
  function end(closeCode: number | null, reason: string): void {
    if (phase === "closed") return;
    const asking = phase === "asking";
    const wasSession = phase === "session" || phase === "expiring";
    phase = "closed";
    queue = [];
    deadline.clear();
    expiry.clear();
    stopHeartbeat();
    socket.off("data", count);
    membership?.leave();
    if (registered !== null) sessions.remove(registered);
    outbound.flush();
    if (closeCode !== null) websocket.close(closeCode, reason);
    if (websocket.readyState !== WebSocket.CLOSED) cut = setTimeout(() => websocket.terminate(), closeGraceMs);

    const outcome: HandshakeOutcome = closeCode === null ? "left" : outcomeOfClose(closeCode);
    context.with(handshake.context, () => {
      log.info(wasSession ? "session ended" : "handshake ended", {
        outcome,
        close_code: closeCode,
        path: pathTag,
        frames,
      });
      if (admitted !== null) ended(admitted);
      // While a question is under way, its answer decides what there is to report.
      else if (opened && !verdict && !asking) left(whyOf(closeCode));
    });
    handshake.end(outcome, closeCode, frames);
  }

  function left(why: "closed" | "deadline" | "malformed" | "limits"): void {
    report(() => caller.emit(handshakeLeft, { hid, why }));
  }

  function ended({ sid, socketId }: Admitted): void {
    report(() => caller.emit(sessionEnded, { sid, socketId }));
  }

  /** Neither statement is needed for safety: both expire by themselves. */
  function report(emit: () => void): void {
    try {
      emit();
    } catch {
      log.warn("the end of a connection could not be reported", { path: pathTag });
    }
  }

  // A function, because the compiler does not see that `phase` changes while something is awaited.
  function hasClosed(): boolean {
    return phase === "closed";
  }

  /** Counts what `ws` still gathers: a frame that never ends is no message yet. */
  function count(chunk: Buffer): void {
    rawBytes += chunk.length;
    if (rawBytes > limits.unauthenticatedBytes + framingBytesMax) refuse("too-large");
  }

  function control(): void {
    const problem = upstream?.control() ?? null;
    if (problem !== null) refuse(problem);
  }

  websocket.on("message", (data, binary) => {
    // `binaryType` is "nodebuffer".
    if (Buffer.isBuffer(data)) receive(data, binary);
  });
  websocket.on("ping", control);
  websocket.on("pong", control);
  websocket.on("error", () => {
    // Closed by `ws` already; this does the rest.
    if (websocket.refused !== null) refuse(websocket.refused);
  });
  websocket.on("close", () => {
    end(null, "");
    clearTimeout(cut);
    telemetry.closed();
    gone.resolve();
  });
  socket.on("data", count);
  const stopHeartbeat = startHeartbeat(websocket, deps.pingIntervalMs, () => websocket.terminate());

  if (bundle === null) {
    void bundles.refresh();
    terminate("unavailable");
  } else {
    websocket.send(encodeHello({ bundle: bundle.bundle, sig: bundle.signature, hid, nonce }));
    deadline.at(clock() + deps.openTimeoutMs, onDeadline);
  }
  return { terminate, gone: gone.promise };
}
