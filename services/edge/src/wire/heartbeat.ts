import type { WebSocket } from "ws";

const missedMax = 2;

/**
 * Pings, so that proxies keep the connection and a peer that vanished without a word is noticed.
 *
 * @returns a function that stops it
 */
export function startHeartbeat(socket: WebSocket, intervalMs: number, onDead: () => void): () => void {
  let missed = 0;
  const heard = () => {
    missed = 0;
  };
  socket.on("pong", heard);
  const handle = setInterval(() => {
    if (missed >= missedMax) return onDead();
    missed += 1;
    socket.ping();
  }, intervalMs);
  return () => {
    clearInterval(handle);
    socket.off("pong", heard);
  };
}
