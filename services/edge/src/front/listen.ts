import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { aliveReport, type Health, limitHttpConnections } from "@portcullis/runtime";

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly health: Health;
  readonly connectionsMax: number;
}

// Not upgraded yet, probes, requests that are being refused: they have room of their own beside the connections that count.
const spareConnections = 1_024;
const requestMsMax = 10_000;

/**
 * An HTTP server that answers probes and nothing else; upgrades are left to whoever listens for them.
 * @throws the error of `listen`, for example EADDRINUSE
 */
export async function listen({ host, port, health, connectionsMax }: ListenOptions): Promise<Server> {
  const server = createServer(
    { headersTimeout: requestMsMax, requestTimeout: requestMsMax, connectionsCheckingInterval: 5_000 },
    (request, response) => {
      const path = request.method === "GET" || request.method === "HEAD" ? request.url?.split("?", 1)[0] : undefined;
      if (path === "/healthz") return answer(response, aliveReport.httpStatus, aliveReport.body);
      if (path !== "/readyz") return answer(response, 404, { status: "not_found" });
      health.report().then(
        (report) => answer(response, report.httpStatus, report.body),
        () => answer(response, 503, { status: "unavailable", failing: [] }),
      );
    },
  );
  server.maxConnections = connectionsMax + 2 * spareConnections;
  const limited = limitHttpConnections(server, { max: spareConnections });
  server.on("upgrade", (_request, socket) => limited.leave(socket));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  return server;
}

export function portOf(server: Server): number {
  return (server.address() as AddressInfo | null)?.port ?? 0;
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
