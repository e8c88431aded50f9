import {
  createCaller,
  createServer,
  createServiceSeal,
  generateServiceKeyPair,
  type SealDirectory,
  type Server,
} from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import {
  type Admitted,
  checkSessions,
  closeSession,
  handshakeLeft,
  handshakeOpen,
  handshakeRecord,
  type ServiceName,
  type Step,
  sealExpiries,
  serverBundle,
  services,
  sessionEnded,
  socketMessage,
} from "@portcullis/contracts";
import {
  createCloser,
  createHealth,
  createIds,
  createLogger,
  readConfig,
  systemClock,
  systemRandom,
} from "@portcullis/runtime";
import { afterEach } from "vitest";
import type { z } from "zod";
import { edgeConfig } from "../../src/config.ts";
import { type EdgeOptions, type RunningEdge, run } from "../../src/run.ts";

const pairs = services.map((service) => [service, generateServiceKeyPair()] as const);
const directory = Object.fromEntries(pairs.map(([service, { publicKey }]) => [service, publicKey])) as SealDirectory;

export type Opened = z.infer<typeof handshakeOpen.request>;
export type Recorded = z.infer<typeof handshakeRecord.request>;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export function later(close: () => Promise<void>): void {
  closing.push(close);
}

export const keepGoing = (deadlineMs: number | null = null, ...texts: string[]): Step => ({
  frames: texts.map(binary),
  admitted: null,
  close: null,
  deadlineMs,
});
export const deny = (...texts: string[]): Step => ({
  frames: texts.map((text) => ({ kind: "text", data: new TextEncoder().encode(text), n: 0 })),
  admitted: null,
  close: 4503,
  deadlineMs: null,
});
export const accept = (admitted: Partial<Admitted> & { sid: string }): Step => ({
  frames: [binary("accepted")],
  admitted: {
    socketId: "sock",
    member: null,
    expiresAtMs: Date.now() + 60_000,
    maxBytes: 65_536,
    memberProven: true,
    role: "member",
    mode: "broadcast",
    perSecond: 1_000,
    sealed: false,
    endToEnd: "off",
    stepUp: null,
    placed: false,
    relayed: admitted.placed ?? false,
    epoch: null,
    next: 0,
    resumeMs: 0,
    ...admitted,
  },
  close: null,
  deadlineMs: null,
});
function binary(text: string): Step["frames"][number] {
  return { kind: "binary", data: new TextEncoder().encode(text), n: 0 };
}

/** The bus with a `keys` and an `identity` that say what the test wants, and as many edges as it wants. */
export async function createWorld() {
  const network = memoryBusNetwork();
  const lines: string[] = [];
  const handlerErrors: unknown[] = [];
  const part = (self: ServiceName) => {
    const bus = network.connect({ name: self, onError: (error) => handlerErrors.push(error) });
    const privateKey = pairs.find(([service]) => service === self)?.[1].privateKey ?? "";
    const seal = createServiceSeal({ self, privateKey, directory });
    const log = createLogger({ service: self, destination: { write: (line) => void lines.push(line) } });
    const ids = createIds();
    const caller = createCaller({ bus, self, seal, clock: systemClock, ids: () => ids.id() });
    const server = createServer({
      bus,
      self,
      seal,
      claim: async () => true,
      log,
      onError: (error) => handlerErrors.push(error),
    });
    later(() => server.close());
    return { bus, caller, server, log, ids };
  };
  const keys = part("keys");
  const identity = part("identity");

  const world = {
    network,
    keys,
    identity,
    part,
    lines,
    handlerErrors,
    opens: [] as Opened[],
    records: [] as Recorded[],
    left: [] as { hid: string; why: string }[],
    ended: [] as { sid: string; socketId: string; hid: string; why: string }[],
    checks: [] as string[][],
    /** Sessions that are on another connection by now. */
    elsewhere: [] as string[],
    gone: [] as { sid: string; why: "kicked" | "expired" | "policy-changed" }[],
    kid: "kid1",
    replica: "replica1",
    bundleLifeMs: 60_000,
    onOpen: async (_opened: Opened): Promise<Step> => keepGoing(Date.now() + 10_000, "challenge"),
    expired: [] as string[][],
    onExpired: async (sids: readonly string[]): Promise<readonly string[]> => sids,
    onRecord: async (_recorded: Recorded): Promise<Step> => keepGoing(Date.now() + 10_000, "challenge"),
    serveOpen: (replica: string) =>
      keys.server.serve(
        handshakeOpen,
        (opened) => {
          world.opens.push(opened);
          return world.onOpen(opened);
        },
        { route: replica },
      ),
    kick: (sid: string, frame: string | null = "revoked") =>
      identity.caller.emit(closeSession, {
        sid,
        socketId: "sock",
        frame: frame === null ? null : new TextEncoder().encode(frame),
        closeCode: 4504,
      }),
    edge: async (environment: Record<string, string> = {}, options: EdgeOptions = {}): Promise<Edge> => {
      const { caller, server, log, ids, bus } = part("edge");
      const closer = createCloser((name, error) => handlerErrors.push(name, error));
      const health = createHealth({ cacheMs: 1 });
      const platform = {
        instance: ids.id().slice(0, 8),
        clock: systemClock,
        ids,
        random: systemRandom,
        log,
        health,
        closer,
        caller,
        server,
      };
      const config = readConfig(edgeConfig, { EDGE_PORT: "0", ...environment });
      const running = await run(platform, config, options);
      later(() => closer.close());
      return { ...running, stop: () => closer.close(), caller, server, bus };
    },
  };

  await keys.server.serve(serverBundle, () => ({
    bundle: new TextEncoder().encode(`{"kid":"${world.kid}"}`),
    signature: new Uint8Array(64),
    kid: world.kid,
    replica: world.replica,
    expiresAtMs: Date.now() + world.bundleLifeMs,
  }));
  await world.serveOpen("replica1");
  await keys.server.serve(handshakeRecord, (recorded) => {
    world.records.push(recorded);
    return world.onRecord(recorded);
  });
  await keys.server.serve(sealExpiries, async ({ sids }) => {
    world.expired.push(sids);
    const sealed = await world.onExpired(sids);
    return { frames: sealed.map((sid) => ({ sid, frame: new TextEncoder().encode(`${sid} expired`) })) };
  });
  await identity.server.serve(checkSessions, ({ held }) => {
    const sids = held.map(({ sid }) => sid);
    world.checks.push(sids);
    const replaced = held.flatMap(({ sid, hid }) => (world.elsewhere.includes(sid) ? [hid] : []));
    return { gone: world.gone.filter(({ sid }) => sids.includes(sid)), replaced };
  });
  await identity.server.on(handshakeLeft, (event) => void world.left.push(event));
  await identity.server.on(sessionEnded, (event) => void world.ended.push(event));
  return world;
}

export type World = Awaited<ReturnType<typeof createWorld>>;
export interface Edge extends RunningEdge {
  readonly stop: () => Promise<void>;
  readonly caller: ReturnType<World["part"]>["caller"];
  readonly server: Server;
  readonly bus: ReturnType<World["part"]>["bus"];
}

/** Subjects on which unsealed messages of a socket travel; counted by a tap. */
export const messageSubject = (socketId: string) => `portcullis.v1.${socketMessage.name}.${socketId}`;
