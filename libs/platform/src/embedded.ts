import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createServiceSeal, generateServiceKeyPair, type RoundTrip } from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import { type ServiceName, services } from "@portcullis/contracts";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import {
  type Clock,
  type Closer,
  createVault,
  type Health,
  type Logger,
  StartupError,
  systemClock,
  systemRandom,
} from "@portcullis/runtime";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { assemble } from "./assemble.ts";
import { needs } from "./needs.ts";
import type { Platform } from "./platform.ts";

export interface EmbeddedOptions {
  /** A folder, made where it is missing; null keeps everything in memory (tests). */
  readonly dataDir: string | null;
  readonly log: Logger;
  readonly health: Health;
  readonly closer: Closer;
  readonly clock?: Clock;
  /** For tests: counts what crosses the bus. */
  readonly onRoundTrip?: (contractName: string, roundTrip: RoundTrip) => void;
  /** For tests: sees every byte that crosses the bus. */
  readonly onTraffic?: (data: Uint8Array) => void;
}

export interface Embedded {
  /** Another call for the same service is another replica of it. */
  platformFor(service: ServiceName, instance?: string): Platform;
}

/**
 * The same services in one process: memory bus, one SQLite file for documents, state and jobs. Sealed as in the distributed
 * form, with keys that live as long as the process, so that there is one way how services speak.
 *
 * @throws {StartupError} a master key file that is damaged
 */
export async function openEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const { dataDir, log, health, closer, clock = systemClock, onRoundTrip, onTraffic } = options;
  if (dataDir !== null) await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const masterKey = dataDir === null ? systemRandom(32) : await readMasterKey(join(dataDir, "master.key"));
  const file = dataDir === null ? ":memory:" : join(dataDir, "portcullis.sqlite");

  const documents = openEmbeddedDocuments({ file, clock });
  closer.add("documents", () => documents.close());
  const state = openEmbeddedState({ file, clock });
  closer.add("state", () => state.close());
  const jobs = openEmbeddedJobs({
    file,
    clock,
    onError: (error) => log.warn("the job queue reports an error", {}, error),
  });
  closer.add("jobs", () => jobs.close());
  for (const [name, store] of Object.entries({ documents, state, jobs })) health.add(name, () => store.ping());

  const network = memoryBusNetwork();
  if (onTraffic !== undefined) network.tap((message) => onTraffic(message.message.data));
  const pairs = perService(generateServiceKeyPair);
  const directory = perService((name) => pairs[name].publicKey);

  return {
    platformFor(service, instance = service) {
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
        vault: want.vault ? createVault({ masterKey, purpose: service }) : null,
        ...(onRoundTrip === undefined ? {} : { onRoundTrip }),
      });
    },
  };
}

function perService<T>(make: (name: ServiceName) => T): Record<ServiceName, T> {
  const made: Partial<Record<ServiceName, T>> = {};
  for (const name of services) made[name] = make(name);
  return made as Record<ServiceName, T>;
}

/** Made on the first run, readable by the owner of the process only. Without it nothing stored can be read: back it up apart. */
async function readMasterKey(file: string): Promise<Uint8Array> {
  try {
    const fresh = Buffer.from(systemRandom(32)).toString("base64url");
    await writeFile(file, `${fresh}\n`, { mode: 0o600, flag: "wx", flush: true });
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  const text = (await readFile(file, "utf8")).trim();
  const key = Buffer.from(text, "base64url");
  if (key.length !== 32 || key.toString("base64url") !== text) {
    throw new StartupError(`${file} is damaged: put back the copy that belongs to this data folder`);
  }
  return new Uint8Array(key);
}
