import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { createServiceSeal, generateServiceKeyPair, type RoundTrip } from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import { type ServiceName, services } from "@portcullis/contracts";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import type { KeyRing } from "@portcullis/key-ring";
import type { Kms } from "@portcullis/kms";
import { createLocalKms } from "@portcullis/kms/local";
import { type Clock, type Closer, type Health, type Logger, systemClock, systemRandom } from "@portcullis/runtime";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { assemble } from "./assemble.ts";
import { openMasterKeyFile, readMasterKeyFile } from "./master-key.ts";
import { needs } from "./needs.ts";
import { openRing } from "./open-ring.ts";
import type { Platform } from "./platform.ts";
import { type OnStoreCall, watched, watchedDocuments } from "./store-calls.ts";

export interface EmbeddedOptions {
  /** A folder, made where it is missing; null keeps everything in memory (tests). */
  readonly dataDir: string | null;
  readonly log: Logger;
  readonly health: Health;
  readonly closer: Closer;
  readonly clock?: Clock;
  /** For tests: counts what crosses the bus. */
  readonly onRoundTrip?: (contractName: string, roundTrip: RoundTrip) => void;
  /** For tests: sees every byte that crosses the bus, bodies as well as subjects and headers. */
  readonly onTraffic?: (data: Uint8Array) => void;
  /** For tests: counts what is asked of documents and state. */
  readonly onStoreCall?: OnStoreCall;
}

/** Short, because the key service is a file, which does not fail: who rotates waits so long for a process that was killed. */
const keyLeaseMs = 300_000;

export interface Embedded {
  /**
   * Another call for the same service is another replica of it.
   *
   * @param instance its name, `[A-Za-z0-9_-]{1,32}`. Default: the service's, and from the second on with a number.
   */
  platformFor(service: ServiceName, instance?: string): Platform;
  /** For tests. @throws {TypeError} it has none */
  ringOf(service: ServiceName): KeyRing;
}

/**
 * The same services in one process: memory bus, one SQLite file for documents, state and jobs. Sealed as in the distributed
 * form, with keys that live as long as the process, so that there is one way how services speak.
 *
 * @throws {StartupError} a master key file that is damaged, or missing although there is data
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataDir, log, health, closer, clock = systemClock, onRoundTrip, onTraffic, onStoreCall } = options;
  if (dataDir !== null) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const file = dataDir === null ? ":memory:" : join(dataDir, "portcullis.sqlite");
  const kms = dataDir === null ? inMemoryKms() : await masterKeyFileKms(dataDir, file);

  const opened = { documents: openEmbeddedDocuments({ file, clock }), state: openEmbeddedState({ file, clock }) };
  const documents = onStoreCall === undefined ? opened.documents : watchedDocuments(opened.documents, onStoreCall);
  closer.add("documents", () => documents.close());
  const state = onStoreCall === undefined ? opened.state : watched(opened.state, "state", onStoreCall);
  closer.add("state", () => state.close());
  const jobs = openEmbeddedJobs({
    file,
    clock,
    onError: (error) => log.warn("the job queue reports an error", {}, error),
  });
  closer.add("jobs", () => jobs.close());
  for (const [name, store] of Object.entries({ documents, state, jobs })) health.add(name, () => store.ping());

  const rings = new Map<ServiceName, KeyRing>();
  const { signal } = new AbortController();
  for (const service of services.filter((name) => needs[name].vault)) {
    const ofService = {
      service,
      instance: `embedded-${process.pid}`,
      clock,
      log: log.child({ part: service }),
      health,
      closer,
    };
    const ring = await openRing({ ...ofService, documents: opened.documents, kms, leaseMs: keyLeaseMs, signal });
    rings.set(service, ring);
  }

  const network = memoryBusNetwork();
  if (onTraffic !== undefined)
    network.tap(({ subject, message: { data, headers } }) => {
      onTraffic(Buffer.from(JSON.stringify({ subject, headers })));
      onTraffic(data);
    });
  const pairs = perService(generateServiceKeyPair);
  const directory = perService((name) => pairs[name].publicKey);

  const replicas = new Map<ServiceName, number>();
  return {
    ringOf(service) {
      const ring = rings.get(service);
      if (ring === undefined) throw new TypeError(`${service} did not ask for a vault`);
      return ring;
    },
    platformFor(service, named) {
      const count = (replicas.get(service) ?? 0) + 1;
      replicas.set(service, count);
      // What is meant for one replica is routed by its name, so that no two may have the same.
      const instance = named ?? (count === 1 ? service : `${service}-${count}`);
      const want = needs[service];
      const serviceLog = log.child({ part: service });
      const bus = network.connect({
        name: service,
        onError: (error, subject) => serviceLog.warn("the bus reports an error", { subject }, error),
      });
      closer.add(`bus of ${service}`, () => bus.close());
      return assemble({
        service,
        instance,
        clock,
        random: systemRandom,
        log: serviceLog,
        health,
        closer,
        bus,
        seal: createServiceSeal({ self: service, privateKey: pairs[service].privateKey, directory }),
        documents: want.documents ? documents : null,
        state: want.state ? state : null,
        jobs: want.jobs ? jobs : null,
        // One process is one memory: replicas in it share what is open.
        vault: rings.get(service)?.vault ?? null,
        ...(onRoundTrip === undefined ? {} : { onRoundTrip }),
      });
    },
  };
}

/** The file is read whenever it is needed: a key that is put into it counts for a process that runs. */
export async function masterKeyFileKms(dataDir: string, database: string): Promise<Kms> {
  const file = join(dataDir, "master.key");
  await openMasterKeyFile(file, database);
  return createLocalKms(() => readMasterKeyFile(file), file);
}

function inMemoryKms(): Kms {
  const keys = { current: systemRandom(32), previous: [] };
  return createLocalKms(async () => keys, "memory");
}

function perService<T>(make: (name: ServiceName) => T): Record<ServiceName, T> {
  const made: Partial<Record<ServiceName, T>> = {};
  for (const name of services) made[name] = make(name);
  return made as Record<ServiceName, T>;
}
