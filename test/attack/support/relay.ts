import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { subprotocol } from "@portcullis/protocol";
import { WebSocket, WebSocketServer } from "ws";

export interface Passing {
  readonly from: "client" | "server";
  /** Of this direction, from 0. */
  readonly index: number;
  readonly data: Buffer;
  readonly binary: boolean;
}

/** What goes on in place of a frame; none: it is dropped. */
export type Tamper = (frame: Passing) => readonly Passing[] | Promise<readonly Passing[]>;

export const passOn: Tamper = (frame) => [frame];

/** A man in the middle: a WebSocket server for the client, a WebSocket client of the edge, and no key of either. */
export interface Relay {
  /** The same URL, through the relay. */
  through(url: string): string;
  /** For connections that are made from now on. */
  tamper: Tamper;
  /** Where a connection really goes: gets and gives the request target. */
  divert: (target: string) => string;
  /** What passed on the connection made last, as it came. */
  readonly seen: readonly Passing[];
  close(): Promise<void>;
}

/** @param origin of the real edge, `ws://localhost:8080` */
export async function startRelay(origin: string): Promise<Relay> {
  const server = new WebSocketServer({
    port: 0,
    host: "localhost",
    perMessageDeflate: false,
    handleProtocols: () => subprotocol,
  });
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const relay = {
    through(url: string) {
      const through = new URL(url);
      through.port = String(port);
      return through.href;
    },
    tamper: passOn,
    divert: (target: string) => target,
    seen: [] as Passing[],
    async close() {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, "close");
    },
  };
  server.on("connection", (client, request: IncomingMessage) => {
    const { tamper } = relay;
    const seen: Passing[] = [];
    relay.seen = seen;
    const edge = new WebSocket(`${origin}${relay.divert(request.url ?? "/")}`, [subprotocol], {
      perMessageDeflate: false,
    });
    const opened = once(edge, "open").catch(() => {});
    pipe(client, edge, "client", { tamper, seen, opened });
    pipe(edge, client, "server", { tamper, seen, opened });
  });
  return relay;
}

function pipe(
  source: WebSocket,
  sink: WebSocket,
  from: Passing["from"],
  { tamper, seen, opened }: { tamper: Tamper; seen: Passing[]; opened: Promise<unknown> },
): void {
  let index = 0;
  // One after the other, whatever the tampering takes.
  let last: Promise<unknown> = opened;
  source.on("message", (data, binary) => {
    if (!Buffer.isBuffer(data)) return;
    const frame: Passing = { from, index, data, binary };
    index += 1;
    seen.push(frame);
    last = last.then(async () => {
      for (const out of await tamper(frame)) {
        if (sink.readyState === WebSocket.OPEN) sink.send(out.data, { binary: out.binary });
      }
    });
  });
  source.on("error", () => {});
  source.on("close", (code, reason) => {
    last = last.then(() =>
      code >= 1000 && code !== 1005 && code !== 1006 ? sink.close(code, reason) : sink.terminate(),
    );
  });
}
