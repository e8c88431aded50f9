import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import {
  base64url,
  encodeMessageUp,
  encodeOpen,
  encodeRecordHeader,
  type Hello,
  type MessageDown,
  paddedLength,
  parseHello,
  parseMessageDown,
  subprotocol,
} from "@portcullis/protocol";
import { WebSocket } from "ws";
import { later } from "./world.ts";

export interface Client {
  readonly websocket: WebSocket;
  /** The next frame, text as a string. Rejects when the connection closes first. */
  next(): Promise<Buffer | string>;
  hello(): Promise<Hello>;
  message(): Promise<MessageDown>;
  /** Frames that nobody has asked for yet. */
  readonly waiting: (Buffer | string)[];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  send(data: string | Uint8Array): void;
}

export interface ConnectOptions {
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly protocols?: string[];
}

export async function connect(port: number, options: ConnectOptions = {}): Promise<Client> {
  const { path = "/lab/secret", headers = {}, protocols = [subprotocol] } = options;
  const websocket = new WebSocket(`ws://127.0.0.1:${port}${path}`, protocols, { headers, perMessageDeflate: false });
  const waiting: (Buffer | string)[] = [];
  let wake = () => {};
  let over = false;
  websocket.on("message", (data, binary) => {
    waiting.push(binary && Buffer.isBuffer(data) ? data : String(data));
    wake();
  });
  websocket.on("error", () => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    websocket.on("close", (code, reason) => {
      over = true;
      resolve({ code, reason: reason.toString() });
      wake();
    });
  });
  later(async () => websocket.terminate());
  await once(websocket, "open");

  const client: Client = {
    websocket,
    waiting,
    closed,
    async next() {
      while (waiting.length === 0) {
        if (over) throw new Error("closed");
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const [frame] = waiting.splice(0, 1);
      if (frame === undefined) throw new Error("no frame");
      return frame;
    },
    hello: async () => parseHello(String(await client.next())),
    async message() {
      const frame = await client.next();
      if (typeof frame === "string") throw new Error("a text frame");
      return parseMessageDown(frame);
    },
    send: (data) => websocket.send(data),
  };
  return client;
}

/** Through hello and `open`; the verdict is what the world's `onOpen` says. */
export async function enter(port: number, options: ConnectOptions = {}): Promise<Client> {
  const client = await connect(port, options);
  await client.hello();
  client.send(open());
  return client;
}

export async function admittedClient(port: number, options: ConnectOptions = {}): Promise<Client> {
  const client = await enter(port, options);
  const frame = await client.next();
  if (frame.toString() !== "accepted") throw new Error("not accepted");
  return client;
}

export const open = (fill = 1): string =>
  encodeOpen({
    suite: "0020",
    enc: new Uint8Array(32).fill(fill),
    psk: `k:${"A".repeat(16)}`,
    box: new Uint8Array(paddedLength(1) + 16).fill(fill),
  });

export function record(counter = 0, type: 0x10 | 0x20 = 0x10, bytes = paddedLength(1)): Buffer {
  return Buffer.concat([encodeRecordHeader({ type, generation: 0, counter }), Buffer.alloc(bytes + 16)]);
}

export const message = (counter: number, body: string | Uint8Array): Uint8Array =>
  encodeMessageUp({ counter, body: typeof body === "string" ? new TextEncoder().encode(body) : body });

export const textOf = ({ body }: MessageDown): string => new TextDecoder().decode(body);

/** A connection without a WebSocket library: it can break every rule. */
export async function rawUpgrade(
  port: number,
  options: { readonly path?: string; readonly headers?: readonly string[] } = {},
) {
  const socket: Socket = createConnection(port, "127.0.0.1");
  later(async () => void socket.destroy());
  const chunks: Buffer[] = [];
  socket.on("data", (chunk) => chunks.push(chunk));
  socket.on("error", () => {});
  await once(socket, "connect");
  const headers = options.headers ?? upgradeHeaders();
  socket.write(`GET ${options.path ?? "/lab/secret"} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n`);
  return {
    socket,
    received: () => Buffer.concat(chunks),
    status: async () => {
      while (!Buffer.concat(chunks).includes("\r\n\r\n")) await once(socket, "data");
      return Buffer.concat(chunks).toString("latin1").split("\r\n\r\n", 1)[0] ?? "";
    },
    /** Code and reason of the close frame that the server sent last. */
    closeFrame: async () => {
      while (!socket.closed) await new Promise((resolve) => setTimeout(resolve, 10));
      const bytes = Buffer.concat(chunks);
      const at = bytes.lastIndexOf(0x88);
      const length = bytes[at + 1] ?? 0;
      return { code: bytes.readUInt16BE(at + 2), reason: bytes.subarray(at + 4, at + 2 + length).toString() };
    },
  };
}

export function upgradeHeaders(changes: Record<string, string | null> = {}): string[] {
  const headers: Record<string, string | null> = {
    Host: "localhost",
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": Buffer.from(base64url.decode("AAAAAAAAAAAAAAAAAAAAAA")).toString("base64"),
    "Sec-WebSocket-Protocol": subprotocol,
    ...changes,
  };
  return Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
}

/** A masked client frame (RFC 6455 section 5.2) with whatever length it claims. */
export function clientFrame(firstByte: number, payload: Uint8Array, claimedLength = payload.length): Buffer {
  const header = Buffer.alloc(14);
  header[0] = firstByte;
  header[1] = 0x80 | 127;
  header.writeBigUInt64BE(BigInt(claimedLength), 2);
  if (claimedLength > 0xffff) return Buffer.concat([header, payload]);
  if (claimedLength > 125) {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(claimedLength, 2);
    return Buffer.concat([header.subarray(0, 4), Buffer.alloc(4), payload]);
  }
  header[1] = 0x80 | claimedLength;
  return Buffer.concat([header.subarray(0, 2), Buffer.alloc(4), payload]);
}
