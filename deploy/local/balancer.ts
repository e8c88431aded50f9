import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { limitHttpConnections } from "@portcullis/runtime";

export interface Balancer {
  readonly port: number;
  close(): Promise<void>;
}

/** Without WebSockets. */
const connectionsMax = 2_000;

/**
 * One address for people and programs, for this machine only (a deployment has HAProxy or a Gateway): upgrades go to the
 * edges in turn, everything else to the API. An edge that does not answer is passed over.
 */
export async function startBalancer(options: {
  readonly port: number;
  readonly host: string;
  readonly apiPort: number;
  readonly edgePorts: readonly number[];
}): Promise<Balancer> {
  const { apiPort, edgePorts } = options;
  const open = new Set<Duplex>();
  let next = 0;

  const server: Server = createServer((incoming, outgoing) => {
    const headers = forwarded(incoming);
    const onward = request(
      { host: "127.0.0.1", port: apiPort, method: incoming.method, path: incoming.url, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, passedOn(answer));
        answer.pipe(outgoing);
      },
    );
    onward.on("error", () => {
      if (!outgoing.headersSent) outgoing.writeHead(502);
      outgoing.end();
    });
    outgoing.on("close", () => onward.destroy());
    incoming.pipe(onward);
  });

  const limited = limitHttpConnections(server, { max: connectionsMax });
  server.on("upgrade", (incoming, client, head) => {
    limited.leave(client);
    track(client);
    void toAnEdge(edgePorts.length).then((edge) => {
      if (edge === null || client.destroyed) {
        client.end("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        edge?.destroy();
        return;
      }
      track(edge);
      const lines = Object.entries(forwarded(incoming)).flatMap(([name, value]) =>
        [value ?? []].flat().map((one) => `${name}: ${one}`),
      );
      edge.write(`${incoming.method} ${incoming.url} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`);
      edge.write(head);
      edge.pipe(client).pipe(edge);
      edge.on("close", () => client.destroy());
      client.on("close", () => edge.destroy());
    });
  });

  function track(socket: Duplex): void {
    open.add(socket);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => open.delete(socket));
  }

  async function toAnEdge(tries: number): Promise<Socket | null> {
    const port = edgePorts[next++ % edgePorts.length];
    if (tries === 0 || port === undefined) return null;
    const socket = connect({ host: "127.0.0.1", port });
    const connected = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true));
      socket.once("error", () => resolve(false));
    });
    return connected ? socket : toAnEdge(tries - 1);
  }

  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.port,
    async close() {
      for (const socket of open) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forwarded(incoming: IncomingMessage): Record<string, string | string[] | undefined> {
  const before = incoming.headers["x-forwarded-for"];
  const from = incoming.socket.remoteAddress ?? "";
  return { ...incoming.headers, "x-forwarded-for": before === undefined ? from : `${String(before)}, ${from}` };
}

/**
 * What is said of one connection is not said of the next (RFC 9110 section 7.6.1): a program that believed the API's word for how long this one stays open would write to one that
 * is being closed.
 */
function passedOn({ rawHeaders }: IncomingMessage): string[] {
  const pairs = Array.from({ length: rawHeaders.length / 2 }, (_, n) => rawHeaders.slice(2 * n, 2 * n + 2));
  return pairs.filter(([name = ""]) => !["connection", "keep-alive"].includes(name.toLowerCase())).flat();
}
