import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

/** A way to a server that can be broken, and led to another server. */
export interface TcpProxy {
  /** The same URL by this way. */
  through(url: string): string;
  /** Breaks every connection, without a word, and refuses new ones until `leadTo`. */
  cut(): void;
  leadTo(server: string): void;
  close(): Promise<void>;
}

export async function startTcpProxy(server: string): Promise<TcpProxy> {
  let target: string | null = server;
  const sockets = new Set<Socket>();
  const listener = createServer((incoming) => {
    if (target === null) {
      incoming.resetAndDestroy();
      return;
    }
    const { hostname, port } = new URL(target);
    const outgoing = connect(Number(port), hostname);
    for (const [from, to] of [
      [incoming, outgoing],
      [outgoing, incoming],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => void listener.listen(0, "127.0.0.1", resolve));
  const { port } = listener.address() as AddressInfo;
  const cut = () => {
    target = null;
    for (const socket of sockets) socket.resetAndDestroy();
  };
  return {
    through(url) {
      const { pathname, search } = new URL(url);
      return `ws://127.0.0.1:${port}${pathname}${search}`;
    },
    cut,
    leadTo(other) {
      target = other;
    },
    async close() {
      cut();
      await new Promise((resolve) => void listener.close(resolve));
    },
  };
}
