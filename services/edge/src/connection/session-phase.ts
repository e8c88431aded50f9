import type { Caller } from "@portcullis/bus";
import { type Admitted, readStepUp, type Step, sessionPresence } from "@portcullis/contracts";
import { type CloseCodeName, closeCodes } from "@portcullis/protocol";
import type { Clock, Ids } from "@portcullis/runtime";
import type { ExpiryWords } from "../sessions/expiry-words.ts";
import type { FanOut, Membership } from "../sessions/fan-out.ts";
import { createOnce } from "../sessions/once.ts";
import type { Farewell, LiveSession, SessionRegistry } from "../sessions/registry.ts";
import { createStepUps, type StepUps } from "../sessions/step-up-clock.ts";
import type { EdgeTelemetry } from "../telemetry.ts";
import type { Outbound } from "../wire/outbound.ts";
import { serverFrame } from "../wire/server-frame.ts";
import { createTimer } from "../wire/timer.ts";
import type { Line } from "./line.ts";
import { createRelay } from "./relay.ts";
import { createUpstream, type Upstream } from "./upstream.ts";

export interface SessionDeps {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly telemetry: EdgeTelemetry;
  readonly sessions: SessionRegistry;
  readonly fanOut: FanOut;
  readonly expiryWords: ExpiryWords;
}

/** From an accept to the last word. */
export interface SessionPhase {
  readonly admitted: Admitted;
  /** Until then the handshake takes what the client sends. */
  readonly begun: boolean;
  /** @param accept frames that say so */
  enter(accept: Step["frames"]): Promise<void>;
  /** @returns why the session must end, or null */
  receive(data: Buffer, binary: boolean): CloseCodeName | null;
  /** A ping or pong of the peer's. @returns likewise */
  control(): CloseCodeName | null;
  /** Nothing is delivered any more, and nobody finds it here. */
  stop(): void;
  /** Resolves when what the client has sent was handed on. */
  settled(): Promise<void>;
}

export function createSessionPhase(
  { caller, clock, ids, telemetry, sessions, fanOut, expiryWords }: SessionDeps,
  options: {
    readonly admitted: Admitted;
    /** Of the connection. */
    readonly hid: string;
    readonly line: Line;
    readonly outbound: Outbound;
    /** It is registered; messages may follow as soon as this returns. */
    readonly onBegun: () => void;
  },
): SessionPhase {
  const { admitted, hid, line, outbound, onBegun } = options;
  const { sid, socketId, placed, relayed } = admitted;
  const delivered = createOnce();
  const expiry = createTimer(clock);
  let state: "admitting" | "live" | "expiring" = "admitting";
  let upstream: Upstream | null = null;
  let membership: Membership | null = null;
  let stepUps: StepUps | null = null;
  const relay = relayed
    ? createRelay({
        caller,
        admitted,
        hid,
        telemetry,
        onFrame: tell,
        onClose: line.close,
        onStepUp: (changed) => stepUps?.set(changed),
        onFailed,
      })
    : null;
  const live: LiveSession = {
    sid,
    hid,
    socketId,
    epoch: admitted.epoch,
    write(frame) {
      endIfOver();
      if (state === "live") outbound.write(frame);
    },
    flush: outbound.flush,
    deliver,
    end: bidFarewell,
    expire,
    nudge: () => stepUps?.nudge(),
  };

  function begin(joined: Membership): void {
    upstream = createUpstream({ admitted, caller, clock, ids, telemetry, relay });
    expiry.at(admitted.expiresAtMs, expire);
    state = "live";
    onBegun();
    joined.add(live);
    announce();
    if (admitted.stepUp === null) return;
    // At once: what stands on another connection is said again on this one, and what was demanded while it began is not lost.
    const first = { ...admitted.stepUp, askAtMs: 0 };
    const ask = () => caller.call(readStepUp, { sid, hid });
    stepUps = createStepUps({ first, clock, ask, onFrame: tell, onClose: line.close, onEnd: expire });
  }

  /** Nobody waits for it, and nothing is wrong without it. */
  function announce(): void {
    try {
      caller.emit(sessionPresence, { sid, socketId, hid, is: "here" });
    } catch {
      // The bus is gone. Whoever speaks later is heard of then.
    }
  }

  /** Timers run late where there is much to do, and nothing is said or heard by who has run out. */
  function endIfOver(): void {
    if (clock() >= admitted.expiresAtMs) expire();
  }

  function deliver(ref: string | null, frame: Uint8Array): boolean {
    endIfOver();
    if (state !== "live" || line.isClosed() || !outbound.isOpen) return false;
    if (!delivered.see(ref)) return true;
    tell(frame);
    telemetry.messageOut(1);
    // A slow reader is closed by what is written.
    return !line.isClosed();
  }

  /** The connection stays only until the last word is there, and not for long; nothing is delivered meanwhile. */
  function expire(): void {
    if (state !== "live" || line.isClosed()) return;
    state = "expiring";
    expiry.clear();
    stepUps?.stop();
    membership?.leave();
    const { code: closeCode } = closeCodes["session-expired"];
    void expiryWords.of(sid).then((frame) => {
      if (!line.isClosed()) bidFarewell({ frame, closeCode });
    });
  }

  function tell(frame: Uint8Array): void {
    if (state !== "live" || line.isClosed()) return;
    outbound.write(serverFrame(frame));
    outbound.flush();
  }

  function onFailed(): void {
    line.terminate("unavailable");
  }

  function bidFarewell({ frame, closeCode }: Farewell): void {
    if (frame !== null) outbound.write(serverFrame(frame));
    line.close(closeCode);
  }

  return {
    admitted,
    get begun() {
      return state !== "admitting";
    },
    async enter(accept) {
      // First listen, then say so: the client must hear everything that is said after it was let in.
      const joined = await fanOut.join(socketId, placed).catch(() => null);
      if (joined === null || line.isClosed()) {
        joined?.leave();
        line.terminate("unavailable");
        return;
      }
      membership = joined;
      line.send({ frames: accept });
      const farewell = sessions.add(live);
      if (farewell === null) begin(joined);
      else bidFarewell(farewell);
    },
    receive(data, binary) {
      endIfOver();
      return state === "live" ? (upstream?.message(data, binary) ?? null) : null;
    },
    control: () => upstream?.control() ?? null,
    stop() {
      expiry.clear();
      stepUps?.stop();
      membership?.leave();
      sessions.remove(live);
    },
    settled: async () => relay?.settled(),
  };
}
