import { Redis, type RedisOptions } from "ioredis";

const reconnectDelayMsMax = 2000;
/** A worker blocks for at most 10 s at a time (BullMQ): that long nothing comes although all is well. */
const consumerSilenceMsMax = 20_000;
const retryStrategy = (times: number) => Math.min(100 * times, reconnectDelayMsMax);

/** For enqueueing: fails fast, because somebody waits for the answer. @throws when Redis does not answer in time. */
export async function connectProducer(url: string, timeoutMs: number): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    // A connection whose other end vanished without a word would otherwise be used until TCP gives it up, 15 minutes later.
    socketTimeout: 2 * timeoutMs,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    retryStrategy,
  });
  // What went wrong is only told here: `connect` rejects with "Connection is closed" whatever the cause.
  let heard: unknown;
  redis.on("error", (error) => {
    heard = error;
  });
  try {
    await within(timeoutMs, redis.connect());
  } catch (error) {
    redis.disconnect();
    throw heard === undefined ? error : new Error("Redis cannot be reached", { cause: heard });
  }
  return redis;
}

/** For workers: waits for Redis to come back, as BullMQ demands of connections that block. */
export class ConsumerRedis extends Redis {
  readonly #copies: Redis[] = [];

  constructor(url: string) {
    super(url, { maxRetriesPerRequest: null, retryStrategy, socketTimeout: consumerSilenceMsMax });
    this.on("error", () => undefined);
  }

  /** BullMQ blocks on a copy that it makes for itself. */
  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    this.#copies.push(copy);
    return copy;
  }

  /** Gives up both connections, also while they try to reconnect, when BullMQ itself would wait for ever. */
  abandon(): void {
    for (const each of [this, ...this.#copies]) each.disconnect();
  }
}

/** @throws {DOMException} `TimeoutError` when `work` takes longer; it is not stopped. */
export function within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new DOMException("Redis does not answer", "TimeoutError")), timeoutMs);
    work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
