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

interface Waiting extends Omit<Numbered, "counter"> {
  readonly signal: AbortSignal | undefined;
  readonly takeBack: () => void;
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
  /** Bodies of calls that wait. */
  const queued = new Set<Uint8Array>();
  let waitingBytes = 0;
  let ended = false;
  let isHeld = false;
  /** By counter: those of a class, until they have come back. */
  const placing = new Map<number, PromiseWithResolvers<void>>();
  let tail: Promise<void> = Promise.resolve();
  let wake = () => {};
  let target: OutboxTarget | null = null;
  /** Sent, and perhaps not arrived. */
  let kept: Numbered[] = [];
  let keptBytes = 0;
  /** Those of them that are still to be sent over this connection, too. */
  let again: Numbered[] = [];

  /** 0: now. */
  const waitMs = (): number => {
    if (isHeld || target === null || (target.bufferedBytes > bufferedBytesMax && again.length === 0)) return pollMs;
    if (keeps && (kept.length >= waitingMax || keptBytes > waitingBytesMax)) return pollMs;
    return rateMs();
  };
  const rateMs = (): number => {
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
  const until = async (isReady: () => boolean, delay: () => number) => {
    while (!isReady()) {
      if (ended) throw new PortcullisError("closed");
      await pause(Math.max(1, delay()));
    }
    if (ended) throw new PortcullisError("closed");
  };
  const transmit = async ({ body, head, signal, takeBack }: Waiting) => {
    await until(() => signal?.aborted === true || (again.length === 0 && waitMs() === 0), waitMs);
    if (signal?.aborted === true) throw new PortcullisError("cancelled");
    // With a number it may arrive, whatever the caller wants by now.
    signal?.removeEventListener("abort", takeBack);
    tokens -= 1;
    const message = { counter, body, head };
    counter += 1;
    const placed = Promise.withResolvers<void>();
    if (head.class === undefined) placed.resolve();
    else placing.set(message.counter, placed);
    placed.promise.catch(() => {});
    if (keeps) {
      kept.push(message);
      keptBytes += body.length;
    }
    await hand(message);
    return { counter: message.counter, placed: placed.promise };
  };
  /** Where the connection goes meanwhile, the message is kept, and goes over the next one. */
  const hand = async ({ counter, body, head }: Numbered) => {
    await target?.send(counter, body, head);
    onSent(counter, body.length);
  };
  const repeat = async (own: OutboxTarget) => {
    for (;;) {
      await until(() => target !== own || rateMs() === 0, rateMs);
      const [message] = again;
      if (target !== own || message === undefined) return;
      tokens -= 1;
      await own.send(message.counter, message.body, message.head);
      if (target !== own) return;
      again.shift();
      if (again.length === 0) return wake();
    }
  };
  const forget = (before: number) => {
    kept = kept.filter((message) => message.counter >= before);
    keptBytes = kept.reduce((sum, { body }) => sum + body.length, 0);
    wake();
  };

  return {
    send(body, head = {}, signal) {
      const { length } = body;
      if (ended) return refused("closed");
      if (signal?.aborted === true) return refused("cancelled");
      if (length > maxBytes) return refused("too-large");
      if (queued.size >= waitingMax || waitingBytes + length > waitingBytesMax) return refused("full");
      const taken = Promise.withResolvers<never>();
      taken.promise.catch(() => {});
      const takeOut = () => {
        signal?.removeEventListener("abort", takeBack);
        if (queued.delete(body)) waitingBytes -= length;
      };
      const takeBack = () => {
        takeOut();
        body.fill(0);
        taken.reject(new PortcullisError("cancelled"));
        wake();
      };
      queued.add(body);
      waitingBytes += length;
      signal?.addEventListener("abort", takeBack, { once: true });
      const sent = tail.then(() => transmit({ body, head, signal, takeBack })).finally(takeOut);
      // Those behind it do not wait for its place, only for its turn.
      tail = sent.then(
        () => {},
        () => {},
      );
      const done = Promise.race([taken.promise, sent.then(({ counter, placed }) => placed.then(() => counter))]);
      done.catch(() => {});
      return done;
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
        placed.resolve();
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
      for (const { body } of kept) body.fill(0);
      for (const body of queued) body.fill(0);
      kept = [];
      again = [];
      for (const placed of placing.values()) placed.reject(new PortcullisError("closed"));
      placing.clear();
      wake();
    },
  };
}

function refused(code: "closed" | "cancelled" | "too-large" | "full"): Promise<never> {
  const refusal = Promise.reject(new PortcullisError(code));
  refusal.catch(() => {});
  return refusal;
}
