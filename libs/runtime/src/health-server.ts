import { createServer, type RequestListener, type ServerResponse } from "node:http";
import { aliveReport, type Health } from "./health.ts";
import { limitHttpConnections } from "./http-connections.ts";
import { listen } from "./listen.ts";

const elsewhereBodies = { 404: { status: "not_found" }, 503: { status: "unavailable" } } as const;

/**
 * Answers `/healthz` and `/readyz`, with or without a query, and closes the connection with each answer.
 *
 * @param elsewhere the status of everything that is asked elsewhere: 404 where nothing is there, 503 where nothing is there yet
 */
export function probeListener(health: Health, elsewhere: 404 | 503 = 404): RequestListener {
  return ({ url, method }, response) => {
    const path = url?.split("?", 1)[0];
    if (path !== "/healthz" && path !== "/readyz") return answer(response, elsewhere, elsewhereBodies[elsewhere]);
    if (method !== "GET" && method !== "HEAD") return answer(response, 405, { status: "method_not_allowed" });
    if (path === "/healthz") return answer(response, aliveReport.httpStatus, aliveReport.body);
    health.report().then(
      (report) => answer(response, report.httpStatus, report.body),
      () => answer(response, 503, { status: "unavailable", failing: [] }),
    );
  };
}

export interface HealthServer {
  readonly port: number;
  close(): Promise<void>;
}

const connectionsMax = 64;
const requestMsMax = 5_000;

/**
 * `/healthz` and `/readyz` for a service that speaks no HTTP itself, or not yet. `port` 0 takes a free one.
 *
 * @param options.standIn the port is that of a service which cannot answer yet: whatever else is asked gets 503, not 404
 * @throws the error of `listen`, for example EADDRINUSE
 */
export async function startHealthServer(options: {
  readonly port: number;
  readonly host: string;
  readonly health: Health;
  readonly standIn?: boolean;
}): Promise<HealthServer> {
  const { port, host, health, standIn = false } = options;
  const server = createServer(
    { headersTimeout: requestMsMax, requestTimeout: requestMsMax, maxHeaderSize: 8_192 },
    probeListener(health, standIn ? 503 : 404),
  );
  limitHttpConnections(server, { max: connectionsMax });
  return {
    port: await listen(server, { host, port }),
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
