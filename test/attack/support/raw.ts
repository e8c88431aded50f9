import { once } from "node:events";
import { createConnection, type Socket } from "node:net";
import { type Hello, parseHello, subprotocol } from "@portcullis/protocol";
import type { Close } from "./attacker.ts";

/** A TCP connection without any WebSocket library: it can break every rule. */
export interface Raw {
  readonly socket: Socket;
  write(bytes: string | Uint8Array): void;
  received(): Buffer;
  /** Status line and headers of the answer. */
  head(): Promise<string>;
  /** What the server says first, once it has come. */
  hello(): Promise<Hello>;
  /** Resolves when the server has closed the connection. */
  readonly gone: Promise<void>;
  /** Code and reason of the server's close frame as soon as it is there; null where it closed without one. */
  close(): Promise<Close | null>;
}

export async function rawConnect(port: number): Promise<Raw> {
  const socket = createConnection({ port, host: "localhost" });
  const chunks: Buffer[] = [];
  let wake = () => {};
  socket.on("data", (chunk: Buffer) => {
    chunks.push(chunk);
    wake();
  });
  socket.on("error", () => {});
  const gone = new Promise<void>((resolve) =>
    socket.once("close", () => {
      resolve();
      wake();
    }),
  );
  const more = () =>
    new Promise<void>((resolve) => {
      wake = resolve;
    });
  await once(socket, "connect");
  const received = () => Buffer.concat(chunks);
  return {
    socket,
    received,
    gone,
    write: (bytes) => void socket.write(bytes),
    async head() {
      while (!received().includes("\r\n\r\n") && !socket.closed) await more();
      return received().toString("latin1").split("\r\n\r\n", 1)[0] ?? "";
    },
    async hello() {
      for (;;) {
        const frames = received().subarray(received().indexOf("\r\n\r\n") + 4);
        // Text of more than 125 and less than 65536 bytes, in one frame.
        if (frames.length > 4) {
          const end = 4 + frames.readUInt16BE(2);
          if (frames.length >= end) return parseHello(frames.subarray(4, end).toString());
        }
        await more();
      }
    },
    async close() {
      let close = closeIn(received());
      while (close === null && !socket.closed) {
        await more();
        close = closeIn(received());
      }
      // The server would wait a second for the answer that this peer never gives.
      socket.destroy();
      return close;
    },
  };
}

const headers: Readonly<Record<string, string>> = {
  Host: "localhost",
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Protocol": subprotocol,
};

/** @param changes null leaves a header out. */
export function upgradeRequest(target: string, changes: Readonly<Record<string, string | null>> = {}, method = "GET") {
  const lines = Object.entries({ ...headers, ...changes }).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  );
  return `${method} ${target} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`;
}

/** Upgraded, the hello already on its way. */
export async function rawUpgrade(port: number, target: string): Promise<Raw> {
  const raw = await rawConnect(port);
  raw.write(upgradeRequest(target));
  const head = await raw.head();
  if (!head.startsWith("HTTP/1.1 101 ")) throw new Error(head);
  return raw;
}

/** One masked frame (RFC 6455 section 5.2); the mask is zero. @param claimedLength what the header says, true or not. */
export function clientFrame(firstByte: number, payload: string | Uint8Array, claimedLength?: number): Buffer {
  const body = Buffer.from(payload);
  const length = claimedLength ?? body.length;
  const extended = length > 0xffff ? 8 : length > 125 ? 2 : 0;
  const header = Buffer.alloc(2 + extended + 4);
  header[0] = firstByte;
  header[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : length);
  if (extended === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (extended === 2) header.writeUInt16BE(length, 2);
  return Buffer.concat([header, body]);
}

/** Walks the server's frames; they are neither masked nor fragmented. */
function closeIn(bytes: Buffer): Close | null {
  let close: Close | null = null;
  let at = bytes.indexOf("\r\n\r\n") + 4;
  while (at + 2 <= bytes.length) {
    const opcode = (bytes[at] ?? 0) & 0x0f;
    const short = (bytes[at + 1] ?? 0) & 0x7f;
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0;
    if (at + 2 + extended > bytes.length) break;
    const length =
      extended === 8 ? Number(bytes.readBigUInt64BE(at + 2)) : extended === 2 ? bytes.readUInt16BE(at + 2) : short;
    const start = at + 2 + extended;
    if (opcode === 8 && length >= 2) {
      close = { code: bytes.readUInt16BE(start), reason: bytes.subarray(start + 2, start + length).toString() };
    }
    at = start + length;
  }
  return close;
}
