import type { Caller } from "@portcullis/bus";
import { type Admitted, type StepUpClock, takeMessages } from "@portcullis/contracts";
import { type CloseCodeName, isMessageUp, limits, paddedLength, recordTypes } from "@portcullis/protocol";
import type { EdgeTelemetry } from "../telemetry.ts";

export interface RelayOptions {
  readonly caller: Pick<Caller, "call">;
  readonly admitted: Admitted;
  /** Of the connection. */
  readonly hid: string;
  readonly telemetry: EdgeTelemetry;
  /** For this client alone. */
  readonly onFrame: (frame: Uint8Array) => void;
  readonly onClose: (closeCode: number) => void;
  /** What is asked of the session has changed. */
  readonly onStepUp: (clock: StepUpClock) => void;
  /** Nobody takes what the client sends. */
  readonly onFailed: () => void;
}

/** Hands what a client sends on to `keys`, which alone can read it. */
export interface Relay {
  /** @returns why the session must end, or null */
  take(frame: Uint8Array): CloseCodeName | null;
  /** Resolves when all that was taken has been handed on, or will never be. */
  settled(): Promise<void>;
}

// One message at least, and not so many that a client waits long to hear that one of them was wrong.
const batchFramesMax = 32;
const batchBytesMax = 256 * 1024;
// What may wait while `keys` is busy: more than this, and the client is better off with another connection.
const waitingFramesMax = 1_024;
const waitingBytesMax = 4 * 1024 * 1024;
const messageHeaderBytes = 9;
const addressedHeaderBytes = 11 + limits.messageHeadBytes;
const recordBytes = 13 + 16;

/**
 * One question at a time, with all that has gathered meanwhile: so the replicas of `keys` see the messages of a client one after the
 * other, whichever of them is asked. Asked again where no answer came; what was taken is not taken twice.
 */
export function createRelay(options: RelayOptions): Relay {
  const { caller, admitted, hid, telemetry, onFrame, onClose, onStepUp, onFailed } = options;
  const { sid, sealed, maxBytes } = admitted;
  const controlBytesMax = recordBytes + paddedLength(limits.handshakePlaintextBytes - 4);
  const sealedBytesMax = Math.max(controlBytesMax, recordBytes + paddedLength(addressedHeaderBytes + maxBytes));
  const waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let counter = 0;
  let running: Promise<void> | null = null;

  function problemWith(frame: Uint8Array): CloseCodeName | null {
    const isRecord = frame[0] === recordTypes.applicationUp;
    if (!isRecord && (sealed || !isMessageUp(frame))) return "out-of-order";
    if (frame.length > (isRecord ? sealedBytesMax : maxBytes + headerBytesMaxOf(frame))) return "too-large";
    if (!isRecord) return null;
    if (frame.length < recordBytes) return "malformed";
    // Whoever sits between could repeat a record; `keys` would see nothing wrong with one that asks for what was missed.
    const isNext = Buffer.from(frame.buffer, frame.byteOffset, frame.length).readBigUInt64BE(5) === BigInt(counter);
    if (!isNext) return "out-of-order";
    counter += 1;
    return null;
  }

  function nextBatch(): Uint8Array[] {
    let bytes = 0;
    let count = 0;
    for (const { length } of waiting) {
      if (count > 0 && (count >= batchFramesMax || bytes + length > batchBytesMax)) break;
      bytes += length;
      count += 1;
    }
    waitingBytes -= bytes;
    return waiting.splice(0, count);
  }

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const frames = nextBatch();
      const ask = () => caller.call(takeMessages, { sid, hid, frames });
      const reply = await ask().catch(ask);
      for (const frame of reply.frames) onFrame(frame);
      if (reply.stepUp !== null) onStepUp(reply.stepUp);
      if (reply.close === null) continue;
      waiting.splice(0);
      onClose(reply.close);
    }
  }

  return {
    take(frame) {
      const problem = problemWith(frame);
      if (problem !== null) return problem;
      if (waiting.length >= waitingFramesMax || waitingBytes + frame.length > waitingBytesMax) return "unavailable";
      waiting.push(frame);
      waitingBytes += frame.length;
      telemetry.messageIn();
      running ??= run()
        .catch(() => {
          waiting.splice(0);
          onFailed();
        })
        .finally(() => {
          running = null;
        });
      return null;
    },
    settled: async () => running ?? undefined,
  };
}

function headerBytesMaxOf(frame: Uint8Array): number {
  return frame[0] === recordTypes.addressedUp ? addressedHeaderBytes : messageHeaderBytes;
}
