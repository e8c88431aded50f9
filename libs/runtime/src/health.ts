import { type Clock, systemClock } from "./ids.ts";

export interface HealthReport {
  readonly httpStatus: 200 | 503;
  /** The whole body. Names only: whoever may ask is told which part is missing, never why. */
  readonly body:
    | { readonly status: "ok" }
    | { readonly status: "stopping" }
    | { readonly status: "unavailable"; readonly failing: readonly string[] };
}

export interface Health {
  /**
   * A check resolves when the thing can be used.
   * @param name `nats`, `redis`: public.
   * @returns a function that removes it.
   * @throws {TypeError} when the name is taken.
   */
  add(name: string, check: () => Promise<void>): () => void;
  /** For `/readyz`: runs all checks at once, each for at most 2 s, none more often than once a second. */
  report(): Promise<HealthReport>;
  /** From now on `report` says `stopping`, so that no new work is sent here while the old is being finished. */
  stopping(): void;
}

export interface HealthOptions {
  readonly clock?: Clock;
  /** How long a result counts. Default and at most 1000. */
  readonly cacheMs?: number;
  /** How long a check may take. Default 2000. */
  readonly timeoutMs?: number;
}

/** For `/healthz`: whoever can still answer is alive. Engines do not matter here: a restart would not bring them back. */
export const aliveReport: HealthReport = Object.freeze({ httpStatus: 200, body: Object.freeze({ status: "ok" }) });

// A check that never settles is asked again, but not without end.
const unsettledMax = 4;
const cacheMsMax = 1_000;

export function createHealth(options: HealthOptions = {}): Health {
  const { clock = systemClock, timeoutMs = 2_000 } = options;
  const cacheMs = Math.min(options.cacheMs ?? cacheMsMax, cacheMsMax);
  const checks = new Map<string, () => Promise<boolean>>();
  let stopped = false;

  return {
    add(name, check) {
      if (checks.has(name)) throw new TypeError(`there is a health check ${name} already`);
      checks.set(name, cached(check, { clock, cacheMs, timeoutMs }));
      return () => void checks.delete(name);
    },
    async report() {
      if (!stopped) {
        const results = await Promise.all([...checks].map(async ([name, run]) => ({ name, ok: await run() })));
        const failing = results.filter((result) => !result.ok).map((result) => result.name);
        if (!stopped)
          return failing.length === 0 ? aliveReport : { httpStatus: 503, body: { status: "unavailable", failing } };
      }
      return { httpStatus: 503, body: { status: "stopping" } };
    },
    stopping() {
      stopped = true;
    },
  };
}

function cached(
  check: () => Promise<void>,
  { clock, cacheMs, timeoutMs }: Required<HealthOptions>,
): () => Promise<boolean> {
  let last: { readonly ok: boolean; readonly atMs: number } | null = null;
  let running: Promise<boolean> | null = null;
  let unsettled = 0;

  async function run(): Promise<boolean> {
    if (unsettled >= unsettledMax) return false;
    unsettled += 1;
    let timer: NodeJS.Timeout | undefined;
    const outcome = Promise.resolve()
      .then(check)
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        unsettled -= 1;
      });
    const tooLate = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const ok = await Promise.race([outcome, tooLate]);
    clearTimeout(timer);
    return ok;
  }

  return () => {
    const sinceMs = last === null ? Number.POSITIVE_INFINITY : clock() - last.atMs;
    // A clock that was set back must not keep an old result alive.
    if (last !== null && sinceMs >= 0 && sinceMs < cacheMs) return Promise.resolve(last.ok);
    running ??= run().then((ok) => {
      last = { ok, atMs: clock() };
      running = null;
      return ok;
    });
    return running;
  };
}
