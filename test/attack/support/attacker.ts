import { once } from "node:events";
import { type Hello, parseHello, subprotocol } from "@portcullis/protocol";
import { type ClientOptions, WebSocket } from "ws";

export type Frame = Buffer | string;

export interface Close {
  readonly code: number;
  readonly reason: string;
}

/** A connection whose owner follows no rule but those of RFC 6455 (for breaking those: raw.ts). */
export interface Attacker {
  readonly websocket: WebSocket;
  /** Everything that came, in order. */
  readonly heard: readonly Frame[];
  /** The next frame that was not asked for yet, null when the connection is closed. */
  next(): Promise<Frame | null>;
  hello(): Promise<Hello>;
  send(frame: string | Uint8Array): void;
  readonly closed: Promise<Close>;
  leave(): void;
}

/** @param url `ws://…`, whatever it names. */
export async function dial(url: string, options: ClientOptions = {}): Promise<Attacker> {
  const websocket = new WebSocket(url, [subprotocol], { perMessageDeflate: false, ...options });
  const heard: Frame[] = [];
  let read = 0;
  let over = false;
  let wake = () => {};
  websocket.on("message", (data, binary) => {
    heard.push(binary && Buffer.isBuffer(data) ? data : String(data));
    wake();
  });
  websocket.on("error", () => {});
  const closed = new Promise<Close>((resolve) => {
    websocket.on("close", (code, reason) => {
      over = true;
      resolve({ code, reason: reason.toString() });
      wake();
    });
  });
  await Promise.race([
    once(websocket, "open"),
    closed.then(() => {
      throw new Error("no connection");
    }),
  ]);
  const next = async (): Promise<Frame | null> => {
    while (read === heard.length) {
      if (over) return null;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const frame = heard[read];
    read += 1;
    return frame ?? null;
  };
  return {
    websocket,
    heard,
    closed,
    next,
    async hello() {
      const frame = await next();
      if (typeof frame !== "string") throw new Error("no hello came");
      return parseHello(frame);
    },
    send: (frame) => websocket.send(frame),
    leave: () => websocket.terminate(),
  };
}
