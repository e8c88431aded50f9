import { type ClientRequest, createServer, type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { serviceFor } from "../../k8s/gateway-routes.ts";
import type { Manifest } from "../../k8s/kustomize.ts";

export interface GatewayOptions {
  readonly manifests: readonly Manifest[];
  readonly port: number;
  /** On which port of this machine each Service is. */
  readonly services: Readonly<Record<string, number>>;
  /** What it takes its client's address to be. */
  readonly client: string;
}

/** Leads requests to where the manifests' routes say, without TLS, and adds its client to `X-Forwarded-For` as a Gateway does. */
export async function startGateway({ manifests, port, services, client }: GatewayOptions) {
  const open = new Set<Duplex>();
  const onwards = (incoming: IncomingMessage): ClientRequest | null => {
    const to = services[serviceFor(manifests, incoming.headers) ?? ""];
    if (to === undefined) return null;
    const before = incoming.headers["x-forwarded-for"];
    const headers = { ...incoming.headers, "x-forwarded-for": before === undefined ? client : `${before}, ${client}` };
    return request({ host: "127.0.0.1", port: to, method: incoming.method, path: incoming.url, headers, agent: false });
  };
  const server = createServer((incoming, outgoing) => {
    const onward = onwards(incoming);
    if (onward === null) return void outgoing.writeHead(404).end();
    onward.on("error", () => outgoing.destroy());
    onward.on("response", (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  server.on("upgrade", (incoming, socket) => {
    const onward = onwards(incoming);
    if (onward === null) return void socket.end("HTTP/1.1 404 Not Found\r\nconnection: close\r\n\r\n");
    onward.on("error", () => socket.destroy());
    onward.on("response", ({ statusCode }) => socket.end(`HTTP/1.1 ${statusCode} No\r\nconnection: close\r\n\r\n`));
    onward.on("upgrade", (answer, service, head) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
      socket.write(head);
      for (const each of [socket, service]) {
        open.add(each);
        each.on("error", () => each.destroy());
        each.on("close", () => open.delete(each));
      }
      service.pipe(socket).pipe(service);
    });
    onward.end();
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    async close(): Promise<void> {
      for (const each of open) each.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
