import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { limits, subprotocol } from "@portcullis/protocol";
import { type Destination, destinationOf } from "@portcullis/runtime";
import { WebSocketServer } from "ws";
import { EdgeSocket } from "../wire/edge-socket.ts";
import type { ClientAddress } from "./client-address.ts";
import type { ConnectionCaps } from "./connection-caps.ts";

export interface Visitor {
  readonly websocket: EdgeSocket;
  readonly socket: Duplex;
  readonly destination: Destination;
  readonly address: ClientAddress;
  readonly origin: string | null;
}

export interface FrontDoor {
  /** For `upgrade` of an HTTP server. */
  readonly upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** From now on every upgrade is answered 503. */
  close(): void;
}

export interface FrontDoorOptions {
  readonly domain: string;
  readonly caps: ConnectionCaps;
  readonly addressOf: (request: IncomingMessage) => ClientAddress;
  readonly onVisitor: (visitor: Visitor) => void;
}

const refusals = {
  bad: "400 Bad Request",
  full: "503 Service Unavailable",
  "address-full": "429 Too Many Requests",
} as const;

const messageHeaderBytes = 9;
const originCharactersMax = 256;

/**
 * Upgrades whoever offers the subprotocol, wherever to: what is behind a path shows in nothing that happens here. Whatever is
 * wrong with a request is answered with the same 400.
 */
export function createFrontDoor({ domain, caps, addressOf, onVisitor }: FrontDoorOptions): FrontDoor {
  let closed = false;
  const websockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    skipUTF8Validation: false,
    maxPayload: limits.messageBytes + messageHeaderBytes,
    handleProtocols: () => subprotocol,
    WebSocket: EdgeSocket,
  });
  // With a listener, `ws` leaves the answer to us.
  websockets.on("wsClientError", (_error, socket) => refuse(socket, "bad"));

  return {
    upgrade(request, socket, head) {
      // Before anything else: a reset connection must not end the process.
      socket.on("error", () => socket.destroy());
      if (closed) return refuse(socket, "full");
      const address = addressOf(request);
      const entered = caps.enter(address.network);
      if ("refused" in entered) return refuse(socket, entered.refused);
      socket.once("close", entered.leave);
      const destination = destinationOf(request, domain);
      const { origin = null } = request.headers;
      if (destination === null || !offersSubprotocol(request) || (origin?.length ?? 0) > originCharactersMax) {
        return refuse(socket, "bad");
      }
      websockets.handleUpgrade(request, socket, head, (websocket) =>
        onVisitor({ websocket, socket, destination, address, origin }),
      );
    },
    close() {
      closed = true;
    },
  };
}

function offersSubprotocol(request: IncomingMessage): boolean {
  const offered = request.headers["sec-websocket-protocol"] ?? "";
  return offered.split(",").some((name) => name.trim() === subprotocol);
}

function refuse(socket: Duplex, why: keyof typeof refusals): void {
  socket.once("finish", () => socket.destroy());
  socket.end(`HTTP/1.1 ${refusals[why]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
