import { subprotocol } from "@portcullis/protocol";
import { PortcullisError } from "./errors.ts";
import type { WebSocketConstructor, WebSocketLike } from "./web-socket.ts";

export type Incoming =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array }
  /** Always the last. */
  | { readonly kind: "closed"; readonly code: number };

/** `CLOSED` of the standard. */
const closedState = 3;

/** One WebSocket, as a bounded sequence of what came. */
export interface Wire {
  /** The next thing that came; asked again before it came, the same promise. Never rejects. */
  next(): Promise<Incoming>;
  /** From now on everything, what waits first, goes here at once; `next` is not used any more. */
  attach(receive: (incoming: Incoming) => void): void;
  send(frame: string | Uint8Array): void;
  /** Bytes handed over that have not left yet. */
  readonly bufferedBytes: number;
  /** Idempotent. What comes afterwards is dropped, except that it is closed. */
  close(code: number, reason: string): void;
}

/**
 * @param options.framesMax what may wait to be read, and `bytesMax` likewise: a WebSocket cannot be told to pause.
 * @param options.onBroken the connection is of no use any more; called at most once, and it is for the caller to close.
 * @throws {PortcullisError} `unreachable` where the platform does not even try.
 */
export function openWire(options: {
  readonly href: string;
  readonly WebSocket: WebSocketConstructor;
  readonly framesMax: number;
  readonly bytesMax: number;
  readonly onBroken: (error: PortcullisError) => void;
}): Wire {
  const { framesMax, bytesMax, onBroken } = options;
  const socket = dial(options.href, options.WebSocket);
  const queue: Incoming[] = [];
  let queuedBytes = 0;
  let asked: { readonly promise: Promise<Incoming>; readonly resolve: (incoming: Incoming) => void } | null = null;
  let receive: ((incoming: Incoming) => void) | null = null;
  let closing = false;
  let broken = false;
  let isClosed = false;

  const fail = (error: PortcullisError) => {
    if (broken || closing) return;
    broken = true;
    onBroken(error);
  };
  const deliver = (incoming: Incoming, bytes: number) => {
    if (receive !== null) receive(incoming);
    else if (asked !== null) {
      const { resolve } = asked;
      asked = null;
      resolve(incoming);
    } else if (incoming.kind !== "closed" && (queue.length >= framesMax || queuedBytes + bytes > bytesMax)) {
      fail(new PortcullisError("too-large"));
    } else {
      queue.push(incoming);
      queuedBytes += bytes;
    }
  };

  socket.binaryType = "arraybuffer";
  socket.addEventListener("open", () => {
    if (socket.protocol !== subprotocol) fail(new PortcullisError("unsupported"));
    // Compression would undo the padding.
    else if (socket.extensions !== "") fail(new PortcullisError("protocol"));
  });
  socket.addEventListener("message", ({ data }) => {
    if (closing || broken) return;
    if (typeof data === "string") deliver({ kind: "text", text: data }, data.length);
    else if (data instanceof ArrayBuffer) deliver({ kind: "binary", bytes: new Uint8Array(data) }, data.byteLength);
    else fail(new PortcullisError("protocol"));
  });
  const closed = (code = 1006) => {
    if (isClosed) return;
    isClosed = true;
    deliver({ kind: "closed", code }, 0);
  };
  // It is followed by `close`, but not in Chromium where the page's content security policy forbids the connection. And `ws` throws where nobody listens.
  socket.addEventListener("error", () => {
    if (socket.readyState === closedState) setTimeout(closed);
  });
  socket.addEventListener("close", ({ code }) => closed(code));

  return {
    next() {
      if (asked !== null) return asked.promise;
      const [first] = queue.splice(0, 1);
      if (first !== undefined) {
        queuedBytes -= sizeOf(first);
        return Promise.resolve(first);
      }
      asked = Promise.withResolvers<Incoming>();
      return asked.promise;
    },
    attach(receiver) {
      receive = receiver;
      for (const incoming of queue.splice(0)) receiver(incoming);
    },
    // Nothing here is shared memory, which the platform's would refuse.
    send: (frame) => socket.send(frame as string | Uint8Array<ArrayBuffer>),
    get bufferedBytes() {
      return socket.bufferedAmount;
    },
    close(code, reason) {
      if (closing) return;
      closing = true;
      socket.close(code, reason);
    },
  };
}

function dial(href: string, WebSocket: WebSocketConstructor): WebSocketLike {
  try {
    return new WebSocket(href, [subprotocol]);
  } catch {
    // The platform's error names the URL.
    const message = "The platform does not try this address: from a page over https it has to be wss.";
    throw new PortcullisError("unreachable", { retryable: false, message });
  }
}

function sizeOf(incoming: Incoming): number {
  if (incoming.kind === "closed") return 0;
  return incoming.kind === "text" ? incoming.text.length : incoming.bytes.length;
}
