import { WebSocket } from "ws";

/** One frame, or the end, as somebody sees it who cannot open it. */
export interface Seen {
  readonly way: "in" | "out" | "close";
  readonly kind: "text" | "binary" | "close";
  /** Of a record; a text frame or a close has none. */
  readonly type: number | null;
  /** Bytes; of a close its code. */
  readonly size: number;
}

/** A WebSocket that writes down what goes through it. */
export function watchingWebSocket() {
  const seen: Seen[] = [];
  const note = (way: "in" | "out", data: unknown) => {
    if (typeof data === "string") seen.push({ way, kind: "text", type: null, size: data.length });
    else {
      const bytes = Buffer.from(data as ArrayBuffer);
      seen.push({ way, kind: "binary", type: bytes[0] ?? null, size: bytes.length });
    }
  };
  class Watching extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols);
      this.addEventListener("message", ({ data }) => note("in", data));
      this.addEventListener("close", ({ code }) => seen.push({ way: "close", kind: "close", type: null, size: code }));
    }
    override send(data: string | Uint8Array) {
      note("out", data);
      super.send(data);
    }
  }
  return { WebSocket: Watching, seen };
}
