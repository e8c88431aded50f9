import { connect, createServer, type Server, type Socket } from "node:net";

/** A wire to an engine that keeps what passes, and that can fail in the ways in which engines and networks do. */
export interface EngineWire {
  readonly url: string;
  /**
   * All that the engine was sent, one connection after the other. Not what it says: a secret comes back only where it was sent before, and
   * what Redis tells of itself, hundreds of six-digit fractions of seconds, is now and then somebody's code.
   */
  recorded(): Buffer;
  /** Everybody is disconnected, nobody gets through: the engine was killed. */
  cut(): Promise<void>;
  /** Connections stay and can be made, and nothing moves; mended, what waited goes on: the engine was stopped (SIGSTOP). */
  freeze(): Promise<void>;
  /** The same to look at, but what is sent is lost, and connections of before stay dead once mended: its host has vanished. */
  swallow(): void;
  mend(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  /** Null while nobody gets through to the engine. */
  far: Socket | null;
  dead: boolean;
}

const recordedBytesMax = 64 * 1024 * 1024;

export async function startEngineWire(target: string, portDefault: number): Promise<EngineWire> {
  const to = new URL(target);
  const sent: Buffer[][] = [];
  let bytes = 0;
  const pairs = new Set<Pair>();
  let state: "open" | "frozen" | "swallowing" = "open";
  let server: Server | null = null;
  let port = 0;

  function take(near: Socket): void {
    const chunks: Buffer[] = [];
    sent.push(chunks);
    const pair: Pair = { near, far: null, dead: state === "swallowing" };
    pairs.add(pair);
    near.on("error", () => undefined);
    near.on("close", () => {
      pairs.delete(pair);
      pair.far?.destroy();
    });
    near.pause();
    near.on("data", (chunk) => {
      if (pass(pair, chunk, pair.far)) chunks.push(chunk);
    });
    if (state === "open") join(pair);
    else if (pair.dead) near.resume();
  }

  function join(pair: Pair): void {
    const { near } = pair;
    const far = connect({ host: to.hostname, port: Number(to.port) || portDefault });
    pair.far = far;
    far.on("error", () => undefined);
    far.on("close", () => {
      // Of a host that has vanished not even the end is heard.
      if (!pair.dead) near.destroy();
    });
    far.on("data", (chunk) => pass(pair, chunk, near));
    near.resume();
  }

  /** @returns whether it was passed on. */
  function pass(pair: Pair, chunk: Buffer, onward: Socket | null): boolean {
    if (pair.dead) return false;
    bytes += chunk.length;
    if (bytes > recordedBytesMax) throw new Error("more passes than a test should need");
    onward?.write(chunk);
    return true;
  }

  async function listen(): Promise<void> {
    if (server !== null) return;
    const listening = createServer(take);
    server = listening;
    // A test that fails in between must not hang the process.
    listening.unref();
    await new Promise<void>((resolve) => listening.listen(port, "127.0.0.1", resolve));
    const address = listening.address();
    if (address === null || typeof address === "string") throw new Error("no port");
    port = address.port;
  }

  await listen();
  const url = new URL(target);
  url.host = `127.0.0.1:${port}`;
  return {
    url: url.href,
    recorded: () => Buffer.concat(sent.flat()),
    async mend() {
      state = "open";
      await listen();
      for (const pair of pairs) {
        if (pair.dead) continue;
        if (pair.far === null) join(pair);
        else {
          pair.near.resume();
          pair.far.resume();
        }
      }
    },
    async cut() {
      const cutting = server;
      server = null;
      if (cutting === null) return;
      const closed = new Promise((resolve) => cutting.close(resolve));
      for (const { near } of pairs) near.destroy();
      await closed;
    },
    async freeze() {
      state = "frozen";
      await listen();
      for (const { near, far } of pairs) {
        near.pause();
        far?.pause();
      }
    },
    swallow() {
      state = "swallowing";
      for (const pair of pairs) {
        pair.dead = true;
        pair.far?.destroy();
      }
    },
  };
}
