import { type ClientOptions, WebSocket } from "ws";

/** What whoever sits between clients and edges sees of their connections, inside TLS. */
export interface FrameRecorder {
  /** To connect by. */
  readonly webSocket: new (
    url: string,
    protocols: string[],
    options?: ClientOptions,
  ) => WebSocket;
  /** Every frame in either direction, a zero byte behind each. */
  recorded(): Buffer;
  /** Connections break, and nobody says why. */
  breakAll(): void;
  /** The one that was made last. */
  breakLast(): void;
}

export function recordFrames(): FrameRecorder {
  const frames: Buffer[] = [];
  const open = new Set<WebSocket>();
  const keep = (data: unknown) => {
    if (typeof data === "string" || data instanceof Uint8Array) frames.push(Buffer.from(data));
    else throw new TypeError("a frame of a kind that is not recorded");
  };
  class RecordedWebSocket extends WebSocket {
    constructor(url: string, protocols: string[], options: ClientOptions = {}) {
      super(url, protocols, options);
      open.add(this);
      this.on("close", () => open.delete(this));
      this.on("message", (data, isBinary) => keep(isBinary && data instanceof ArrayBuffer ? Buffer.from(data) : data));
    }
    override send(data: string | Uint8Array, ...rest: never[]): void {
      keep(data);
      super.send(data, ...rest);
    }
  }
  return {
    webSocket: RecordedWebSocket,
    recorded: () => Buffer.concat(frames.flatMap((frame) => [frame, Buffer.of(0)])),
    breakAll() {
      for (const socket of open) socket.terminate();
    },
    breakLast: () => [...open].at(-1)?.terminate(),
  };
}
