import type { MessageUpHead } from "@portcullis/protocol";
import { PortcullisError } from "./errors.ts";

/** Where messages go: one connection. */
export interface OutboxTarget {
  /** In the order of the calls. */
  send(counter: number, body: Uint8Array, head: MessageUpHead): Promise<void>;
  /** Bytes handed over that have not left yet. */
  readonly bufferedBytes: number;
}

export interface Outbox {
  /**
   * Resolves when the message was handed to the platform, in the order of the calls. Waits while too much is still on its way,
   * while the socket's rate would be passed, and while there is no connection. Of a class, that may have to wait for a step-up: resolves when it
   * has arrived. Rejects with `closed` where the session ends before, `full` where too much waits already, `too-large`.
   *
   * @param body the outbox's from now on, and erased by it
   * @param signal takes it back as long as it waits: it rejects with `cancelled`
   * @returns its counter
   */
  send(body: Uint8Array, head?: MessageUpHead, signal?: AbortSignal): Promise<number>;
  /** While a step-up stands, what is sent waits here. */
  hold(holds: boolean): void;
  /**
   * From now on messages go here. Those that were on their way when the connection before was lost go first.
   *
   * @param next messages with a counter below it have arrived
   */
  attach(target: OutboxTarget, next: number): void;
  /** There is no connection for the moment. */
  detach(): void;
  /** Our own message came back, or is known to have been handed over: it and those before it have arrived. */
  arrived(counter: number): void;
  /** Counter of the first message that may not have arrived. */
  readonly next: number;
  /** Whoever waits is told. What waited is erased. */
  end(): void;
}

interface Numbered {
  readonly counter: number;
  readonly body: Uint8Array;
  readonly head: MessageUpHead;
}

/** A call that has no number yet, or is just handed over. */
interface Waiting {
  readonly body: Uint8Array;
  readonly head: MessageUpHead;
  readonly done: PromiseWithResolvers<number>;
  /** From now on the caller's signal has no effect. */
  readonly commit: () => void;
}

const bufferedBytesMax = 1_024 * 1_024;
/** A WebSocket does not tell when its buffer has drained. */
const pollMs = 20;
// The server counts what arrives, and the network bunches what was spaced: a tenth of slack, and a burst of four fifths.
const rateShare = 0.9;
const burstShare = 0.8;

export function createOutbox(options: {
  readonly maxBytes: number;
  readonly perSecond: number;
  /** Calls that may wait at once, and their bytes. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
  /** Whether a lost connection may be replaced: then what has not arrived is kept, within the same bounds once more. */
  readonly keeps: boolean;
  readonly clock: () => number;
  readonly onSent: (counter: number, bytes: number) => void;
}): Outbox {
  const { maxBytes, waitingMax, waitingBytesMax, keeps, clock, onSent } = options;
  const perMs = (options.perSecond * rateShare) / 1_000;
  const burst = Math.max(1, Math.floor(options.perSecond * burstShare));
  let tokens = burst;
  let filledAtMs = clock();
  let counter = 0;
  /** In the order of the calls. */
  const waiting: Waiting[] = [];
  let waitingBytes = 0;
  let isPumping = false;
  let ended = false;
  let isHeld = false;
  /** By counter: those of a class, until they have come back. */
  const placing = new Map<number, PromiseWithResolvers<number>>();
  const sleepers = new Set<() => void>();
  let target: OutboxTarget | null = null;
  /** Sent, and perhaps not arrived. */
  let kept: Numbered[] = [];
  let keptBytes = 0;
  /** Those of them that are still to be sent over this connection, too. */
  let again: Numbered[] = [];

  /** 0: now. Without end: until something is so that wakes. */
  const waitMs = (): number => {
    if (isHeld || target === null || again.length > 0) return Number.POSITIVE_INFINITY;
    if (keeps && (kept.length >= waitingMax || keptBytes > waitingBytesMax)) return Number.POSITIVE_INFINITY;
    return target.bufferedBytes > bufferedBytesMax ? pollMs : rateMs();
  };
  const rateMs = (): number => {
    const nowMs = clock();
    tokens = Math.min(burst, tokens + Math.max(0, nowMs - filledAtMs) * perMs);
    filledAtMs = nowMs;
    return tokens >= 1 ? 0 : Math.ceil((1 - tokens) / perMs);
  };
  const wake = () => {
    for (const over of sleepers) over();
  };
  const pause = (delayMs: number) =>
    new Promise<void>((resolve) => {
      const over = () => {
        clearTimeout(timer);
        sleepers.delete(over);
        resolve();
      };
      const timer = delayMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(over, delayMs);
      sleepers.add(over);
    });
  const pump = async () => {
    if (isPumping) return;
    isPumping = true;
    for (let [first] = waiting; first !== undefined; [first] = waiting) {
      const delayMs = waitMs();
      if (delayMs > 0) await pause(delayMs);
      else await transmit(first);
    }
    isPumping = false;
  };
  const transmit = async (call: Waiting) => {
    const { body, head, done, commit } = call;
    // With a number it may arrive, whatever the caller wants by now.
    commit();
    tokens -= 1;
    const message = { counter, body, head };
    counter += 1;
    if (head.class !== undefined) placing.set(message.counter, done);
    if (keeps) {
      kept.push(message);
      keptBytes += body.length;
    }
    try {
      // Where the connection goes meanwhile, the message is kept, and goes over the next one.
      await target?.send(message.counter, body, head);
      onSent(message.counter, body.length);
      if (head.class === undefined) done.resolve(message.counter);
    } catch (error) {
      placing.delete(message.counter);
      done.reject(error);
    }
    takeOut(call);
  };
  const takeOut = (call: Waiting) => {
    const index = waiting.indexOf(call);
    if (index < 0) return;
    waiting.splice(index, 1);
    waitingBytes -= call.body.length;
  };
  const repeat = async (own: OutboxTarget) => {
    while (target === own && again.length > 0) {
      const delayMs = rateMs();
      const [message] = again;
      if (delayMs > 0 || message === undefined) {
        await pause(delayMs);
        continue;
      }
      tokens -= 1;
      await own.send(message.counter, message.body, message.head);
      if (target === own) again.shift();
    }
    if (target === own) wake();
  };
  const forget = (before: number) => {
    kept = kept.filter((message) => message.counter >= before);
    keptBytes = kept.reduce((sum, { body }) => sum + body.length, 0);
    wake();
  };

  return {
    async send(body, head = {}, signal) {
      const { length } = body;
      if (ended) throw new PortcullisError("closed");
      if (signal?.aborted === true) throw new PortcullisError("cancelled");
      if (length > maxBytes) throw new PortcullisError("too-large");
      if (waiting.length >= waitingMax || waitingBytes + length > waitingBytesMax) throw new PortcullisError("full");
      const done = Promise.withResolvers<number>();
      const commit = () => signal?.removeEventListener("abort", takeBack);
      const call = { body, head, done, commit };
      const takeBack = () => {
        takeOut(call);
        body.fill(0);
        done.reject(new PortcullisError("cancelled"));
        wake();
      };
      waiting.push(call);
      waitingBytes += length;
      signal?.addEventListener("abort", takeBack, { once: true });
      void pump();
      return done.promise;
    },
    attach(next, arrivedBelow) {
      target = next;
      forget(arrivedBelow);
      again = [...kept];
      wake();
      if (again.length > 0) repeat(next).catch(() => {});
    },
    detach() {
      target = null;
    },
    arrived(arrivedCounter) {
      forget(arrivedCounter + 1);
      for (const [each, placed] of placing) {
        if (each > arrivedCounter) continue;
        placing.delete(each);
        placed.resolve(each);
      }
    },
    hold(holds) {
      isHeld = holds;
      if (!holds) wake();
    },
    get next() {
      return kept[0]?.counter ?? counter;
    },
    end() {
      ended = true;
      // They wait for nobody any more, and whoever takes the device later is not to read them.
      for (const { body } of [...kept, ...waiting]) body.fill(0);
      kept = [];
      again = [];
      const over = new PortcullisError("closed");
      for (const { done, commit } of waiting.splice(0)) {
        commit();
        done.reject(over);
      }
      for (const placed of placing.values()) placed.reject(over);
      placing.clear();
      wake();
    },
  };
}
