import { createServer, type Server } from "node:http";
import { type Health, limitHttpConnections, listen, probeListener } from "@portcullis/runtime";

export interface HttpServerOptions {
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
 *
 * @throws the error of `listen`, for example EADDRINUSE
 */
export async function startHttpServer({ host, port, health, connectionsMax }: HttpServerOptions): Promise<Server> {
  const server = createServer(
    { headersTimeout: requestMsMax, requestTimeout: requestMsMax, connectionsCheckingInterval: 5_000 },
    probeListener(health),
  );
  server.maxConnections = connectionsMax + 2 * spareConnections;
  const limited = limitHttpConnections(server, { max: spareConnections });
  server.on("upgrade", (_request, socket) => limited.leave(socket));
  await listen(server, { host, port });
  return server;
}
