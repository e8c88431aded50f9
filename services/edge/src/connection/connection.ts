import type { Duplex } from "node:stream";
import { context } from "@opentelemetry/api";
import type { Admitted, ConnectionFacts, Step } from "@portcullis/contracts";
import { type CloseCodeName, closeCodeOf, closeCodes, formatHandshakeId, limits } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import { WebSocket } from "ws";
import { type HandshakeOutcome, outcomeOfClose } from "../telemetry.ts";
import type { EdgeSocket } from "../wire/edge-socket.ts";
import { startHeartbeat } from "../wire/heartbeat.ts";
import { createOutbound } from "../wire/outbound.ts";
import { withinMs } from "../wire/timer.ts";
import { createHandshakePhase, type HandshakeDeps } from "./handshake-phase.ts";
import type { Line } from "./line.ts";
import { createReports } from "./reports.ts";
import { createSessionPhase, type SessionDeps, type SessionPhase } from "./session-phase.ts";

export interface ConnectionDeps extends HandshakeDeps, SessionDeps {
  /** First part of every handshake id. */
  readonly instance: string;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
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
  /** Of its handshake. */
  readonly hid: string;
  /** @returns false where it is gone already */
  push(step: Step): boolean;
  /** Idempotent. */
  terminate(name: CloseCodeName): void;
  /** Resolves when nothing is left of it: it is closed, what its client has sent was handed on, and its end was reported. */
  readonly gone: Promise<void>;
}

// For the headers of frames, which the protocol's limit on what a stranger may send does not count.
const framingBytesMax = 4 * 1_024;
/** How long a peer may take to answer a close before the connection is cut. */
const closeGraceMs = 1_000;
/** How long what a client has sent may take to be handed on when it has gone. */
const settleMsMax = 5_000;
/** RFC 6455 section 7.1.5: no close frame came. */
const brokenCode = 1006;

/** One WebSocket from hello to close: a handshake and, where that ends with an accept, a session. */
export function beginConnection({ websocket, socket, facts, pathTag }: Arrival, deps: ConnectionDeps): Connection {
  const { caller, log, telemetry } = deps;
  const hid = formatHandshakeId(deps.instance, deps.random(16));
  const reports = createReports({ caller, log, hid, pathTag });
  const trace = telemetry.handshake();
  const gone = Promise.withResolvers<void>();
  let session: SessionPhase | null = null;
  let closed = false;
  let silent = false;
  let rawBytes = 0;
  let cut: NodeJS.Timeout | undefined;
  let reported: Promise<void> = Promise.resolve();
  const outbound = createOutbound(websocket, socket, deps.slowReaderBytes, () => terminate("slow-consumer"));
  const line: Line = {
    send({ frames }) {
      for (const { kind, data } of frames) websocket.send(data, { binary: kind === "binary" });
    },
    close: (closeCode) => end(closeCode, closeCodeOf(closeCode)?.name ?? ""),
    terminate,
    refuse,
    isClosed: () => closed,
  };
  const { context: traceContext } = trace;
  const handshake = createHandshakePhase(deps, {
    line,
    reports,
    hid,
    facts,
    pathTag,
    traceContext,
    onAdmitted,
    onSilent,
  });

  telemetry.opened();

  function onAdmitted(admitted: Admitted, accept: Step["frames"]): Promise<void> {
    session = createSessionPhase(deps, { admitted, hid, line, outbound, onBegun });
    return session.enter(accept);
  }

  function onBegun(): void {
    // With it go offers that were under way when one of them was enough.
    handshake.stop();
    socket.off("data", count);
    log.info("handshake ended", { outcome: "accept", path: pathTag, frames: handshake.frames });
    trace.end("accept", null, handshake.frames);
  }

  /** What there is to say of the handshake is said now: a trace that stayed open would tell nothing more. */
  function onSilent(): void {
    silent = true;
    log.info("handshake ended", { outcome: "silent", path: pathTag, frames: handshake.frames });
    trace.end("silent", null, handshake.frames);
  }

  function receive(data: Buffer, binary: boolean): void {
    if (closed) return;
    if (session?.begun !== true) handshake.receive(data, binary);
    else heed(session.receive(data, binary));
  }

  function heed(problem: CloseCodeName | null): void {
    if (problem !== null) refuse(problem);
  }

  /** Counts what `ws` still gathers: a frame that never ends is no message yet. */
  function count(chunk: Buffer): void {
    rawBytes += chunk.length;
    if (rawBytes > limits.unauthenticatedBytes + framingBytesMax) refuse("too-large");
  }

  function refuse(name: CloseCodeName): void {
    if (!closed && name !== "rate" && name !== "unavailable") telemetry.malformed(closeCodes[name].code);
    terminate(name);
  }

  function terminate(name: CloseCodeName): void {
    end(closeCodes[name].code, name);
  }

  /**
   * @param closeCode null: the peer closed, or the connection broke
   * @param peerCode what the peer closed with; 1006 (RFC 6455 section 7.1.5) where it did not
   */
  function end(closeCode: number | null, reason: string, peerCode = brokenCode): void {
    if (closed) return;
    closed = true;
    handshake.stop();
    session?.stop();
    stopHeartbeat();
    socket.off("data", count);
    outbound.flush();
    if (closeCode !== null) websocket.close(closeCode, reason);
    if (websocket.readyState !== WebSocket.CLOSED) cut = setTimeout(() => websocket.terminate(), closeGraceMs);

    const outcome: HandshakeOutcome = closeCode === null ? "left" : outcomeOfClose(closeCode);
    const { frames } = handshake;
    context.with(traceContext, () => {
      const what = session?.begun === true ? "session ended" : silent ? "silent connection ended" : "handshake ended";
      log.info(what, { outcome, close_code: closeCode, path: pathTag, frames });
      if (session === null) {
        handshake.report(closeCode ?? peerCode);
        reported = withinMs(settleMsMax, handshake.settled());
      } else reported = withinMs(settleMsMax, session.settled()).then(() => ended(closeCode ?? peerCode));
    });
    trace.end(outcome, closeCode, frames);
  }

  /** Behind what the client has sent: it may have said goodbye with its last message. */
  function ended(closeCode: number): void {
    const admitted = session?.admitted;
    if (admitted !== undefined) context.with(traceContext, () => reports.ended(admitted, closeCode));
  }

  websocket.on("message", (data, binary) => {
    // `binaryType` is "nodebuffer".
    if (Buffer.isBuffer(data)) receive(data, binary);
  });
  const control = () => heed(session?.control() ?? null);
  websocket.on("ping", control);
  websocket.on("pong", control);
  websocket.on("error", () => {
    // Closed by `ws` already; this does the rest.
    if (websocket.refused !== null) refuse(websocket.refused);
  });
  websocket.on("close", (code) => {
    end(null, "", code);
    clearTimeout(cut);
    telemetry.closed();
    void reported.then(gone.resolve);
  });
  socket.on("data", count);
  const stopHeartbeat = startHeartbeat(websocket, deps.pingIntervalMs, () => websocket.terminate());

  handshake.begin();
  return { hid, push: (step) => !closed && handshake.push(step), terminate, gone: gone.promise };
}
