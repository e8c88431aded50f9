import { unknownEpoch } from "./group-keys.ts";
import type { Heard, Link } from "./link.ts";

/** Records of an epoch whose key is on its way, and no more bytes of them than may wait. */
const unknownMax = 64;

export interface IntakeOptions {
  /** Frames, and their bytes, that may wait to be opened: a WebSocket cannot be told to wait. */
  readonly framesMax: number;
  readonly bytesMax: number;
  /** False for a connection that is of the past: what came over it is dropped. */
  readonly isCurrent: (from: Link) => boolean;
  readonly onHeard: (from: Link, heard: Heard) => void;
  /** The first record came whose key is not known. */
  readonly onUnknown: () => void;
  readonly onOverflow: () => void;
  readonly onFailed: (error: unknown) => void;
}

/** What comes over the connections of a session, opened one after the other. */
export interface Intake {
  take(from: Link, bytes: Uint8Array): void;
  /** What could not be opened a moment ago. @param then behind it, unless the connection is another one by then */
  retry(from: Link, then?: () => void): void;
  /** Another connection: what was put aside belongs to the one before. */
  restart(): void;
  /** Resolves when all that has come by now was heard. */
  settled(): Promise<void>;
}

export function createIntake(options: IntakeOptions): Intake {
  const { framesMax, bytesMax, isCurrent, onHeard, onUnknown, onOverflow, onFailed } = options;
  let opening: Promise<void> = Promise.resolve();
  let waiting = 0;
  let waitingBytes = 0;
  let unknown: Uint8Array[] = [];

  function readPlain(from: Link, bytes: Uint8Array): void {
    try {
      onHeard(from, from.readPlain(bytes));
    } catch (error) {
      onFailed(error);
    }
  }

  function queue(from: Link, bytes: Uint8Array): void {
    if (waiting >= framesMax || waitingBytes + bytes.length > bytesMax) {
      onOverflow();
      return;
    }
    waiting += 1;
    waitingBytes += bytes.length;
    opening = opening.then(async () => {
      await open(from, bytes);
      waiting -= 1;
      waitingBytes -= bytes.length;
    });
  }

  /** @param isAgain it was put aside before: without its key it is a gap, which is filled by its place. */
  async function open(from: Link, bytes: Uint8Array, isAgain = false): Promise<void> {
    try {
      if (!isCurrent(from)) return;
      const heard = from.isPlain(bytes) ? from.readPlain(bytes) : await from.read(bytes);
      if (!isCurrent(from) || heard === null) return;
      if (heard !== unknownEpoch) onHeard(from, heard);
      else if (!isAgain) putAside(bytes);
    } catch (error) {
      if (isCurrent(from)) onFailed(error);
    }
  }

  /** The answer to what is asked here brings the key. What is then still missing is asked for by its place. */
  function putAside(bytes: Uint8Array): void {
    unknown.push(bytes);
    while (unknown.length > unknownMax || unknown.reduce((sum, { length }) => sum + length, 0) > bytesMax)
      unknown.shift();
    if (unknown.length === 1) onUnknown();
  }

  return {
    take(from, bytes) {
      if (waiting === 0 && from.isPlain(bytes)) readPlain(from, bytes);
      else queue(from, bytes);
    },
    retry(from, then = () => {}) {
      const frames = unknown;
      unknown = [];
      for (const bytes of frames) opening = opening.then(() => open(from, bytes, true));
      opening = opening.then(() => {
        if (isCurrent(from)) then();
      });
    },
    restart() {
      unknown = [];
    },
    settled: () => opening,
  };
}
