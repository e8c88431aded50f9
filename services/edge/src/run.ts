import type { Server } from "node:http";
import { closeSession, deliverToSession, displaceConnection, nudgeStepUp, pushStep } from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { portOf } from "@portcullis/runtime";
import type { EdgeConfig } from "./config.ts";
import { createBundleKeeper } from "./connection/bundle-keeper.ts";
import { beginConnection, type Connection, type ConnectionDeps } from "./connection/connection.ts";
import { createSilentConnections } from "./connection/silent-connections.ts";
import { clientAddressReader } from "./front/client-address.ts";
import { createConnectionCaps } from "./front/connection-caps.ts";
import { createFrontDoor, type Visitor } from "./front/front-door.ts";
import { startHttpServer } from "./front/http-server.ts";
import { createExpiryWords } from "./sessions/expiry-words.ts";
import { createFanOut } from "./sessions/fan-out.ts";
import { createSessionRegistry } from "./sessions/registry.ts";
import { startSweep } from "./sessions/sweep.ts";
import { createTelemetry, pathTagger } from "./telemetry.ts";
import { withinMs } from "./wire/timer.ts";

export { edgeConfig } from "./config.ts";

export interface RunningEdge {
  /** Where it takes upgrades; 0 where the given server does not listen yet. */
  readonly port: number;
  /** Connections now, whatever became of them. */
  readonly connections: () => number;
}

export interface EdgeOptions {
  /** An HTTP server whose upgrades the edge takes; it stays its owner's. Without one the edge listens by itself. */
  readonly server?: Server;
}

const drainMsMax = 3_000;

/** The part that holds WebSockets. It knows no secret and keeps nothing. */
export async function run(
  platform: Pick<Platform, "instance" | "clock" | "ids" | "random" | "log" | "health" | "closer" | "caller" | "server">,
  config: EdgeConfig,
  options: EdgeOptions = {},
): Promise<RunningEdge> {
  const { instance, clock, ids, random, log, health, closer, server } = platform;
  const telemetry = createTelemetry();
  const registry = createSessionRegistry(clock);

  const connections = new Map<string, Connection>();
  const displace = (hid: string) => connections.get(hid)?.terminate("replaced");
  const sweep = startSweep({
    caller: platform.caller,
    edge: instance,
    registry,
    displace,
    intervalMs: config.sweepIntervalMs,
    log,
  });
  closer.add("edge sweep", async () => sweep.stop());
  const { caller } = sweep;
  const fanOut = createFanOut({ server, caller, telemetry, log });
  const jitter = () => new DataView(Uint8Array.from(random(4)).buffer).getUint32(0) / 2 ** 32;
  const bundles = createBundleKeeper({ caller, clock, log, jitter });
  closer.add("edge bundle", async () => bundles.stop());
  const removeCheck = health.add("server bundle", async () => {
    if (bundles.current() === null) throw new Error("there is no fresh server bundle");
  });
  closer.add("edge health", async () => removeCheck());

  const pushes = await server.on(closeSession, ({ sid, frame, closeCode }) => registry.end(sid, { frame, closeCode }));
  closer.add("edge pushes", () => pushes.close());
  await bundles.refresh();

  // Whatever is set: half of the room stays for whoever is still asked or was let in.
  const silentMax = Math.max(1, Math.min(config.silentMax, Math.floor(config.connectionsMax / 2)));
  const tagOf = pathTagger(random(32));
  const deps: ConnectionDeps = {
    instance,
    caller,
    clock,
    ids,
    random,
    log,
    telemetry,
    bundles,
    silent: createSilentConnections(silentMax, telemetry.silent),
    sessions: registry,
    fanOut,
    expiryWords: createExpiryWords({ caller, log }),
    openTimeoutMs: config.openTimeoutMs,
    slowReaderBytes: config.slowReaderBytes,
    pingIntervalMs: config.pingIntervalMs,
  };
  const steps = await server.serve(
    pushStep,
    ({ hid, step }) => ({ taken: connections.get(hid)?.push(step) ?? false }),
    { route: instance },
  );
  closer.add("edge steps", () => steps.close());
  const deliveries = await server.serve(
    deliverToSession,
    ({ sid, hid, ref, frame }) => ({ taken: registry.deliver({ sid, hid }, ref, frame) }),
    { route: instance },
  );
  closer.add("edge deliveries", () => deliveries.close());
  const displaced = await server.on(displaceConnection, ({ hid }) => displace(hid), { route: instance });
  const nudges = await server.serve(nudgeStepUp, ({ sid, hid }) => ({ taken: registry.nudge(sid, hid) }), {
    route: instance,
  });
  closer.add("edge nudges", () => nudges.close());
  closer.add("edge displacements", () => displaced.close());
  const onVisitor = ({ websocket, socket, destination, address, origin }: Visitor) => {
    const facts = { ...destination, address: address.text, origin };
    const connection = beginConnection(
      { websocket, socket, facts, pathTag: tagOf(destination.label, destination.path) },
      deps,
    );
    connections.set(connection.hid, connection);
    void connection.gone.then(() => connections.delete(connection.hid));
  };

  const door = createFrontDoor({
    domain: config.domain,
    caps: createConnectionCaps(config.connectionsMax, config.connectionsPerAddressMax),
    addressOf: clientAddressReader(config.trustedProxies ?? []),
    onVisitor,
  });
  const { host, port, connectionsMax } = config;
  const http = options.server ?? (await startHttpServer({ host, port, health, connectionsMax }));
  http.on("upgrade", door.upgrade);

  closer.add("edge connections", async () => {
    door.close();
    const ends = [...connections.values()].map((connection) => {
      connection.terminate("restart");
      return connection.gone;
    });
    // What does not answer the close is cut after a second; this is for what hangs all the same.
    await withinMs(drainMsMax, Promise.all(ends));
    if (options.server === undefined) {
      http.close();
      http.closeAllConnections();
    }
  });
  return { port: portOf(http), connections: () => connections.size };
}
