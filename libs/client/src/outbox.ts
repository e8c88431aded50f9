import { encodeMessageUp } from "@portcullis/protocol";
import { PortcullisError } from "./errors.ts";
import type { Wire } from "./wire.ts";

export interface Outbox {
  /**
   * Resolves when the message was handed to the platform, in the order of the calls. Waits while too much is still on its way
   * and while the socket's rate would be passed.
   */
  send(body: Uint8Array): Promise<void>;
  end(): void;
}

const bufferedBytesMax = 1_024 * 1_024;
/** A WebSocket does not tell when its buffer has drained. */
const pollMs = 20;
// The server counts what arrives, and the network bunches what was spaced: a tenth of slack, and a burst of four fifths.
const rateShare = 0.9;
const burstShare = 0.8;

export function createOutbox(options: {
  readonly wire: Pick<Wire, "send" | "bufferedBytes">;
  readonly maxBytes: number;
  readonly perSecond: number;
  /** Calls that may wait at once, and their bytes. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
  readonly clock: () => number;
  readonly onSent: (counter: number, bytes: number) => void;
}): Outbox {
  const { wire, maxBytes, waitingMax, waitingBytesMax, clock, onSent } = options;
  const perMs = (options.perSecond * rateShare) / 1_000;
  const burst = Math.max(1, Math.floor(options.perSecond * burstShare));
  let tokens = burst;
  let filledAtMs = clock();
  let counter = 0;
  let waiting = 0;
  let waitingBytes = 0;
  let ended = false;
  let tail: Promise<void> = Promise.resolve();
  let wake = () => {};

  /** 0: now. */
  const waitMs = (): number => {
    if (wire.bufferedBytes > bufferedBytesMax) return pollMs;
    const nowMs = clock();
    tokens = Math.min(burst, tokens + Math.max(0, nowMs - filledAtMs) * perMs);
    filledAtMs = nowMs;
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perMs);
  };
  const pause = (delayMs: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, delayMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const transmit = async (body: Uint8Array) => {
    for (;;) {
      if (ended) throw new PortcullisError("closed");
      const delayMs = waitMs();
      if (delayMs === 0) break;
      await pause(delayMs);
    }
    tokens -= 1;
    wire.send(encodeMessageUp({ counter, body }));
    onSent(counter, body.length);
    counter += 1;
  };

  return {
    send(body) {
      const { length } = body;
      if (ended) return refused("closed");
      if (length > maxBytes) return refused("too-large");
      if (waiting >= waitingMax || waitingBytes + length > waitingBytesMax) return refused("unavailable");
      waiting += 1;
      waitingBytes += length;
      // A copy: the caller may use its buffer again while this waits.
      const own = body.slice();
      const sent = tail
        .then(() => transmit(own))
        .finally(() => {
          waiting -= 1;
          waitingBytes -= length;
        });
      tail = sent.catch(() => {});
      return sent;
    },
    end() {
      ended = true;
      wake();
    },
  };
}

function refused(code: "closed" | "too-large" | "unavailable"): Promise<never> {
  const refusal = Promise.reject(new PortcullisError(code));
  refusal.catch(() => {});
  return refusal;
}
