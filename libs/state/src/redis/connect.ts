import { Redis } from "ioredis";

const reconnectDelayMsMax = 2000;

/**
 * A connection that fails fast: what is asked while Redis is gone rejects at once instead of waiting in a queue, and nothing
 * is sent twice by itself, because a `take` or an `advance` that was carried out but not answered would lose the second time.
 */
export async function connect(url: string, commandTimeoutMs: number): Promise<Redis> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: commandTimeoutMs,
    commandTimeout: commandTimeoutMs,
    // A connection whose other end vanished without a word would otherwise be used until TCP gives it up, 15 minutes later.
    socketTimeout: 2 * commandTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    retryStrategy: (times) => Math.min(100 * times, reconnectDelayMsMax),
  });
  // Callers learn of a later loss from their own operations and from `ping`. What keeps the first connection from being made is
  // only told here: `connect` rejects with "Connection is closed" whatever the cause.
  let heard: unknown;
  redis.on("error", (error) => {
    heard = error;
  });
  const deadline = AbortSignal.timeout(commandTimeoutMs);
  try {
    await Promise.race([redis.connect(), rejection(deadline)]);
  } catch (error) {
    redis.disconnect();
    throw heard === undefined ? error : new Error("Redis cannot be reached", { cause: heard });
  }
  return redis;
}

function rejection(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
}
