import { connect, createServer, type Server, type Socket } from "node:net";

/** A wire to an engine that keeps what passes, and that can be cut and mended. */
export interface EngineWire {
  readonly url: string;
  /** All bytes of both directions. */
  recorded(): Buffer;
  /** Everybody is disconnected, nobody gets through. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

const recordedBytesMax = 64 * 1024 * 1024;

export async function startEngineWire(target: string, portDefault: number): Promise<EngineWire> {
  const to = new URL(target);
  const chunks: Buffer[] = [];
  let bytes = 0;
  const sockets = new Set<Socket>();
  let server: Server | null = null;
  let port = 0;

  const join = (near: Socket) => {
    const far = connect({ host: to.hostname, port: Number(to.port) || portDefault });
    for (const [from, onward] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on("error", () => undefined);
      from.on("close", () => {
        sockets.delete(from);
        onward.destroy();
      });
      from.on("data", (chunk) => {
        bytes += chunk.length;
        if (bytes > recordedBytesMax) throw new Error("more passes than a test should need");
        chunks.push(chunk);
        onward.write(chunk);
      });
    }
  };

  async function mend(): Promise<void> {
    if (server !== null) return;
    const listening = createServer(join);
    server = listening;
    // A test that fails in between must not hang the process.
    listening.unref();
    await new Promise<void>((resolve) => listening.listen(port, "127.0.0.1", resolve));
    const address = listening.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    port = address.port;
  }

  await mend();
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    recorded: () => Buffer.concat(chunks.flatMap((chunk) => [chunk])),
    mend,
    async cut() {
      const cutting = server;
      server = null;
      if (cutting === null) return;
      const closed = new Promise((resolve) => cutting.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
