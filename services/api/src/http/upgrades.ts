import type { IncomingMessage, Server } from "node:http";
import type { Duplex } from "node:stream";

const refusal = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/**
 * Where an edge shares the port, its own listener takes the upgrades. Where none does, Node would hand them to the routes as
 * ordinary requests; they are closed instead.
 *
 * @param onUpgrade told of each, whoever takes it
 */
export function refuseUpgradesAlone(server: Server, onUpgrade: (socket: Duplex) => void): void {
  const refuse = (_request: IncomingMessage, socket: Duplex): void => {
    onUpgrade(socket);
    if (server.listeners("upgrade").some((listener) => listener !== refuse)) return;
    socket.on("error", () => socket.destroy());
    socket.end(refusal, () => socket.destroy());
  };
  server.on("upgrade", refuse);
}
