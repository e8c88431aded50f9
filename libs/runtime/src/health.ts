import { createServer, type ServerResponse } from "node:http";
import { limitHttpConnections } from "./http-connections.ts";
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

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * `/healthz` and `/readyz` for a service that speaks no HTTP itself, or not yet. `port` 0 takes a free one.
 *
 * @param options.standIn the port is that of a service which cannot answer yet: whatever else is asked gets 503, not 404
 */
export async function startHealthServer(options: {
  readonly port: number;
  readonly host: string;
  readonly health: Health;
  readonly standIn?: boolean;
}): Promise<HealthServer> {
  const { port, host, health, standIn = false } = options;
  const server = createServer(
    { headersTimeout: 5_000, requestTimeout: 5_000, maxHeaderSize: 8_192 },
    (request, response) => {
      // Probes may carry a query; nothing here reads one.
      const path = request.url?.split("?", 1)[0] ?? "";
      if (standIn && path !== "/healthz" && path !== "/readyz") return answer(response, 503, { status: "unavailable" });
      if (request.method !== "GET" && request.method !== "HEAD")
        return answer(response, 405, { status: "method_not_allowed" });
      if (path === "/healthz") return answer(response, aliveReport.httpStatus, aliveReport.body);
      if (path !== "/readyz") return answer(response, 404, { status: "not_found" });
      health.report().then(
        (report) => answer(response, report.httpStatus, report.body),
        () => answer(response, 503, { status: "unavailable", failing: [] }),
      );
    },
  );
  limitHttpConnections(server, { max: 64 });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    connection: "close",
  });
  response.end(response.req.method === "HEAD" ? undefined : text);
}
