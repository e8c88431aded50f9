import type { Server } from "node:http";
import type { Socket } from "node:net";

const graceMs = 3_000;
const idleCheckMs = 50;

export interface Connections {
  /** Resolves when `close` did, cutting off after 3 s whoever is still connected. */
  drain(close: () => Promise<unknown>): Promise<void>;
}

/**
 * Node's own `closeAllConnections` forgets a socket once it is upgraded, yet `server.close` waits for it: one visitor could
 * hold the process. So every socket is kept here.
 */
export function trackConnections(server: Server): Connections {
  const open = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  return {
    async drain(close) {
      const timer = setTimeout(() => {
        for (const socket of open) socket.destroy();
      }, graceMs);
      // `server.close` closes what is idle then; a connection whose request was still running becomes idle later.
      const idle = setInterval(() => server.closeIdleConnections(), idleCheckMs);
      try {
        await close();
      } finally {
        clearInterval(idle);
        clearTimeout(timer);
      }
    },
  };
}
