import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Bus,
  createCaller,
  createServer,
  createServiceSeal,
  generateServiceKeyPair,
  type SealDirectory,
} from "@portcullis/bus";
import { type MemoryBusNetwork, memoryBusNetwork, type Observed } from "@portcullis/bus/memory";
import { type ServiceName, services } from "@portcullis/contracts";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { edgeConfig, run as runEdge } from "@portcullis/edge";
import { factorsConfig, run as runFactors } from "@portcullis/factors";
import { identityConfig, run as runIdentity } from "@portcullis/identity";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import { keysConfig, run as runKeys } from "@portcullis/keys";
import { notifyConfig, run as runNotify } from "@portcullis/notify";
import { claimIn, type Platform } from "@portcullis/platform";
import {
  createCloser,
  createHealth,
  createIds,
  createLogger,
  createVault,
  readConfig,
  systemClock,
  systemRandom,
} from "@portcullis/runtime";
import { openEmbeddedState } from "@portcullis/state/embedded";

/** Everything behind an edge, on a bus to which the attacker has a plug of their own. */
export interface BusWorld {
  readonly network: MemoryBusNetwork;
  /** The attacker's handle: the bus lets it publish and subscribe whatever it wants. */
  readonly plug: Bus;
  /** Every message so far, as the bus saw it. */
  readonly traffic: readonly Observed[];
  readonly directory: SealDirectory;
  /** `ws://localhost:…` */
  readonly edge: string;
  /** For set-up: what the API would ask. */
  readonly api: Platform["caller"];
  /** A service's own private key, for attacks by a service that was taken over. */
  privateKeyOf(service: ServiceName): string;
  readonly logs: readonly string[];
  /** Mails end here, one `.eml` each. */
  readonly outboxDir: string;
  /** Does it when the seals of all services believe that it is `ms` later. */
  later<T>(ms: number, work: () => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function startBusWorld(): Promise<BusWorld> {
  const network = memoryBusNetwork();
  const traffic: Observed[] = [];
  network.tap((observed) => void traffic.push(observed));
  const pairs = new Map(services.map((service) => [service, generateServiceKeyPair()] as const));
  const pairOf = (service: ServiceName) => pairs.get(service) ?? generateServiceKeyPair();
  const directory = Object.fromEntries(
    services.map((service) => [service, pairOf(service).publicKey]),
  ) as SealDirectory;

  const logs: string[] = [];
  const log = createLogger({ service: "test", level: "debug", destination: { write: (line) => void logs.push(line) } });
  const closer = createCloser(() => undefined);
  const health = createHealth();
  const documents = openEmbeddedDocuments({ file: ":memory:", clock: systemClock });
  const state = openEmbeddedState({ file: ":memory:", clock: systemClock });
  const jobs = openEmbeddedJobs({ file: ":memory:", clock: systemClock, onError: () => undefined });
  for (const store of [documents, state, jobs]) closer.add("store", () => store.close());
  const outboxDir = await mkdtemp(join(tmpdir(), "portcullis-outbox-"));
  closer.add("outbox", () => rm(outboxDir, { recursive: true, force: true }));
  const masterKey = systemRandom(32);
  let aheadMs = 0;

  const platformOf = (service: ServiceName): Platform => {
    const bus = network.connect({ name: service, onError: () => undefined });
    closer.add(`bus of ${service}`, () => bus.close());
    const clock = () => systemClock() + aheadMs;
    const seal = createServiceSeal({ self: service, privateKey: pairOf(service).privateKey, directory, clock });
    const ids = createIds(systemRandom);
    const server = createServer({ bus, self: service, seal, claim: claimIn(state, service), log });
    closer.add(`handlers of ${service}`, () => server.close());
    return {
      service,
      instance: service,
      clock: systemClock,
      random: systemRandom,
      ids,
      log,
      health,
      closer,
      caller: createCaller({ bus, self: service, seal, clock: systemClock, ids: () => ids.id() }),
      server,
      documents,
      state,
      jobs,
      vault: createVault({ masterKey, purpose: service }),
    };
  };

  await runKeys(platformOf("keys"), readConfig(keysConfig, {}));
  await runFactors(platformOf("factors"), readConfig(factorsConfig, {}));
  await runIdentity(platformOf("identity"), { ...readConfig(identityConfig, {}), publicUrl: "http://localhost" });
  await runNotify(platformOf("notify"), readConfig(notifyConfig, { OUTBOX_DIR: outboxDir }));
  const edge = await runEdge(platformOf("edge"), readConfig(edgeConfig, { EDGE_PORT: "0", HOST: "127.0.0.1" }));
  const plug = network.connect({ name: "attacker", onError: () => undefined });
  return {
    network,
    plug,
    traffic,
    directory,
    edge: `ws://localhost:${edge.port}`,
    api: platformOf("api").caller,
    privateKeyOf: (service) => pairOf(service).privateKey,
    logs,
    outboxDir,
    async later(ms, work) {
      aheadMs = ms;
      try {
        return await work();
      } finally {
        aheadMs = 0;
      }
    },
    async close() {
      await plug.close();
      await closer.close();
    },
  };
}
