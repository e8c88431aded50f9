import { PortcullisError } from "./errors.ts";

/** Everything that can end an undertaking from outside, in one place: the caller's signal, deadlines, a broken connection. */
export interface Scope {
  /** What `promise` gives, unless the undertaking fails first; what `promise` does then is nobody's business any more. */
  race<T>(promise: T | PromiseLike<T>): Promise<T>;
  /** The first failure counts. */
  fail(error: unknown): void;
  /** @returns a function that takes the deadline back */
  failAfter(delayMs: number, error: PortcullisError): () => void;
  /** What is to be done when it ends, however it ends. */
  atEnd(stop: () => void): void;
  /** To be ended by itself. What fails the whole fails it as well, and not the other way round. */
  part(): Scope;
  /** Leaves no timer and no listener behind. */
  end(): void;
}

export function createScope(signal: AbortSignal | undefined): Scope {
  const failed = Promise.withResolvers<never>();
  // Nobody may be racing at the moment that it fails.
  failed.promise.catch(() => {});
  const stops: (() => void)[] = [];
  const timers = new Set<ReturnType<typeof setTimeout>>();
  const onAbort = () => failed.reject(new PortcullisError("cancelled"));
  signal?.addEventListener("abort", onAbort, { once: true });
  if (signal?.aborted === true) onAbort();

  return {
    race: (promise) => Promise.race([failed.promise, promise]),
    fail: failed.reject,
    failAfter(delayMs, error) {
      const timer = setTimeout(() => failed.reject(error), delayMs);
      timers.add(timer);
      return () => {
        clearTimeout(timer);
        timers.delete(timer);
      };
    },
    part() {
      const own = createScope(signal);
      failed.promise.catch(own.fail);
      return own;
    },
    atEnd: (stop) => void stops.push(stop),
    end() {
      for (const stop of stops.splice(0)) stop();
      signal?.removeEventListener("abort", onAbort);
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
