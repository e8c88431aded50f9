import type { Duplex } from "node:stream";
import { WebSocket } from "ws";

export interface Outbound {
  /** False: what is written goes nowhere. */
  readonly isOpen: boolean;
  /** Takes a frame made by `serverFrame`. It leaves with the next `flush`, together with what else was written until then. */
  write(frame: Buffer): void;
  flush(): void;
}

// More than this at once gains nothing, and a reader must not look slow only because its frames were held back here.
const heldBytesMax = 64 * 1024;

/**
 * Writes ready-made frames beside `ws`, which never leaves a frame half written: without compression and without fragments,
 * each of its sends is one frame written at once. Several frames for one connection become one system call.
 */
export function createOutbound(
  websocket: WebSocket,
  socket: Duplex,
  slowReaderBytes: number,
  onSlow: () => void,
): Outbound {
  let heldBytes = 0;
  let corked = false;
  const outbound: Outbound = {
    get isOpen() {
      return websocket.readyState === WebSocket.OPEN;
    },
    write(frame) {
      if (websocket.readyState !== WebSocket.OPEN) return;
      if (!corked) {
        corked = true;
        socket.cork();
      }
      socket.write(frame);
      heldBytes += frame.length;
      if (heldBytes >= heldBytesMax) outbound.flush();
    },
    flush() {
      if (!corked) return;
      corked = false;
      heldBytes = 0;
      socket.uncork();
      if (websocket.readyState === WebSocket.OPEN && websocket.bufferedAmount > slowReaderBytes) onSlow();
    },
  };
  return outbound;
}
