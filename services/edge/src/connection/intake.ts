import { type CloseCodeName, limits } from "@portcullis/protocol";
import { misfitOf } from "./handshake-record.ts";

export interface Frame {
  readonly data: Buffer;
  readonly binary: boolean;
}

/** What a client sends before it is let in: bounded in all, and narrowly while a question of its is under way. */
export interface Intake {
  /** Counts a frame in. @returns why the connection must end, or null */
  problemWith(frame: Frame, asking: boolean): CloseCodeName | null;
  /** Keeps a frame until the question that is under way is answered. */
  hold(frame: Frame): void;
  next(): Frame | undefined;
  /** Drops what is held. */
  clear(): void;
  /** How many there were so far. */
  readonly frames: number;
}

// What may wait while a question is under way, records only: a client that answers in time has no reason to send more.
const heldFramesMax = 4;
const heldBytesMax = 16 * 1_024;

export function createIntake(): Intake {
  let held: Frame[] = [];
  let frames = 0;
  let payloadBytes = 0;
  return {
    problemWith({ data, binary }, asking) {
      frames += 1;
      payloadBytes += data.length;
      if (frames > limits.handshakeFrames) return "out-of-order";
      if (payloadBytes > limits.unauthenticatedBytes) return "too-large";
      if (data.length > (binary ? limits.handshakeRecordBytes : limits.openBytes)) return "too-large";
      if (!asking) return null;
      // Refused now and not in its turn: what is under way may be an accept, and behind that it would look like a session's.
      const misfit = misfitOf(data, binary);
      if (misfit !== null) return misfit;
      if (held.length >= heldFramesMax) return "out-of-order";
      return held.reduce((sum, frame) => sum + frame.data.length, data.length) > heldBytesMax ? "too-large" : null;
    },
    hold: (frame) => void held.push(frame),
    next: () => held.shift(),
    clear() {
      held = [];
    },
    get frames() {
      return frames;
    },
  };
}
