import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";

export interface HttpConnectionLimits {
  /** Connections at once, those that left not counted. */
  readonly max: number;
  /** Of those, from one network. Default: as many as in all. */
  readonly perNetworkMax?: number;
  /** What counts as one network. Null for an address that speaks for many, as a proxy does: only `max` holds for it. Default: the address. */
  readonly networkOf?: (address: string) => string | null;
}

export interface HttpConnections {
  /** A connection that was upgraded is somebody else's to count. */
  leave(socket: Duplex): void;
  count(): number;
}

interface Connection {
  readonly socket: Duplex;
  readonly network: string | null;
  /** Whose answer is not finished. */
  readonly requests: Set<IncomingMessage>;
}

/**
 * A connection that never finishes its request costs a stranger nothing, and a limit that turns newcomers away would let them
 * keep everybody out. So a newcomer above a limit takes the place of the one that was quiet longest among those on which nothing
 * is being answered: idle, or still sending headers or body. Only where all are being answered is the newcomer cut off. An
 * honest client is done sending long before it is its turn.
 */
export function limitHttpConnections(
  server: Server,
  { max, perNetworkMax = max, networkOf = (address) => address }: HttpConnectionLimits,
): HttpConnections {
  // Sets keep the order of insertion: the one that was quiet longest comes first.
  const all = new Set<Connection>();
  const bySocket = new WeakMap<Duplex, Connection>();
  const networks = new Map<string, Set<Connection>>();

  function enter(connection: Connection): void {
    const { socket, network } = connection;
    all.add(connection);
    bySocket.set(socket, connection);
    if (network === null) return;
    const own = networks.get(network);
    if (own === undefined) networks.set(network, new Set([connection]));
    else own.add(connection);
  }

  function leave(socket: Duplex): void {
    const connection = bySocket.get(socket);
    if (connection === undefined) return;
    bySocket.delete(socket);
    all.delete(connection);
    const { network } = connection;
    const own = network === null ? undefined : networks.get(network);
    own?.delete(connection);
    if (network !== null && own?.size === 0) networks.delete(network);
  }

  /** The newcomer comes last, and nothing is being answered on it yet: one of them always has to go. */
  function trim(among: ReadonlySet<Connection>, limit: number): void {
    for (const { socket, requests } of among) {
      if (among.size <= limit) return;
      if ([...requests].some(({ complete }) => complete)) continue;
      leave(socket);
      socket.destroy();
    }
  }

  server.on("connection", (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? "");
    enter({ socket, network, requests: new Set() });
    socket.once("close", () => leave(socket));
    const own = network === null ? undefined : networks.get(network);
    if (own !== undefined) trim(own, perNetworkMax);
    trim(all, max);
  });
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const connection = bySocket.get(request.socket);
    if (connection === undefined) return;
    connection.requests.add(request);
    response.once("close", () => {
      connection.requests.delete(request);
      if (!all.has(connection)) return;
      leave(connection.socket);
      enter(connection);
    });
  });
  return { leave, count: () => all.size };
}
