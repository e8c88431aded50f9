import { setTimeout as sleepFor } from "node:timers/promises";
import { errorClass } from "./error-class.ts";
import type { Logger } from "./log.ts";
import { StartupError } from "./startup-error.ts";

export interface UntilReadyOptions<T> {
  /** What is waited for and where, without credentials: `nats at 127.0.0.1:4222`. */
  readonly what: string;
  /** Must give up by itself in bounded time. */
  readonly attempt: () => Promise<T>;
  readonly log: Pick<Logger, "info" | "warn">;
  /** What the log says of an error; without secrets. Default `connectionProblem`. */
  readonly problemOf?: (error: unknown) => string;
  /** Ends the wait: the promise then rejects with the signal's reason. */
  readonly signal: AbortSignal;
  /** Wait after the first failure; doubles each time. Default 500; at least 1. */
  readonly firstDelayMs?: number;
  /** Default 15000. */
  readonly maxDelayMs?: number;
  /** In [0, 1); default `Math.random`. */
  readonly jitter?: () => number;
  readonly sleep?: (delayMs: number, signal: AbortSignal) => Promise<void>;
}

/**
 * Repeats `attempt` for as long as it takes: an engine that is not there yet is no reason to end a process. One line is
 * logged per failure. A `StartupError` is final: it says that waiting will not help.
 */
export async function untilReady<T>(options: UntilReadyOptions<T>): Promise<T> {
  const { what, attempt, log, signal, problemOf = connectionProblem } = options;
  const maxDelayMs = Math.max(1, options.maxDelayMs ?? 15_000);
  const jitter = options.jitter ?? Math.random;
  const sleep = options.sleep ?? sleepAbortably;
  let ceilingMs = Math.min(maxDelayMs, Math.max(1, options.firstDelayMs ?? 500));
  for (let failures = 0; ; failures += 1) {
    signal.throwIfAborted();
    try {
      const result = await orAborted(attempt(), signal);
      if (failures > 0) log.info(`${what} is there`);
      return result;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof StartupError) throw error;
      // Between half and all of the ceiling: replicas that lost the same engine do not come back in step.
      const delayMs = Math.ceil(ceilingMs * (0.5 + jitter() / 2));
      log.warn(`waiting for ${what}: ${problemOf(error)}; next try in ${seconds(delayMs)}`);
      await sleep(delayMs, signal);
      ceilingMs = Math.min(maxDelayMs, ceilingMs * 2);
    }
  }
}

const problems: Readonly<Record<string, string>> = {
  ECONNREFUSED: "connection refused",
  ECONNRESET: "connection reset",
  EPIPE: "connection closed",
  ETIMEDOUT: "timed out",
  EHOSTUNREACH: "host unreachable",
  ENETUNREACH: "network unreachable",
  ENOTFOUND: "no such host",
  EAI_AGAIN: "name service not available",
  ENOENT: "no such socket",
  EACCES: "permission denied",
  TIMEOUT: "timed out",
};

/** Of the platform, of nats.js and, with the last, of MongoDB's driver, which looked for a server until time was up. */
const timeoutNames = /(^|[a-z])TimeoutError$|^MongoServerSelectionError$/;

const visitsMax = 16;

/**
 * What went wrong, by class and code only. Messages of drivers are left out: some quote the connection string, and with it
 * the password.
 */
export function connectionProblem(error: unknown): string {
  // Breadth first through causes and aggregates: drivers wrap the interesting error several layers deep.
  const queue: unknown[] = [error];
  let timedOut = false;
  for (let visits = 0; visits < visitsMax && queue.length > 0; visits += 1) {
    const current = queue.shift();
    if (!(current instanceof Error)) continue;
    const { code } = current as { readonly code?: unknown };
    const known = typeof code === "string" && Object.hasOwn(problems, code) ? problems[code] : undefined;
    if (known !== undefined) return known;
    timedOut ||= timeoutNames.test(current.name);
    queue.push(current.cause, ...(current instanceof AggregateError ? current.errors.slice(0, visitsMax) : []));
  }
  return timedOut ? "timed out" : errorClass(error);
}

function seconds(ms: number): string {
  return ms < 1_000 ? `${ms} ms` : `${Math.round(ms / 100) / 10} s`;
}

async function sleepAbortably(delayMs: number, signal: AbortSignal): Promise<void> {
  await sleepFor(delayMs, undefined, { signal });
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
