import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ServiceName } from "@portcullis/contracts";
import type { Documents } from "@portcullis/documents";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openMongoDocuments } from "@portcullis/documents/mongodb";
import type { KeyRing } from "@portcullis/key-ring";
import {
  type Closer,
  createHealth,
  defineConfig,
  type Environment,
  type Logger,
  readConfig,
  StartupError,
  systemClock,
  untilReady,
} from "@portcullis/runtime";
import { distributedConfigOf } from "./config.ts";
import { masterKeyFileKms } from "./embedded.ts";
import { kmsConfig } from "./kms-config.ts";
import { needs } from "./needs.ts";
import { openKms } from "./open-kms.ts";
import { openRing } from "./open-ring.ts";

/** A service's ring and what is sealed under it, beside the service itself: for an operator's command. */
export interface DataKeys {
  readonly service: ServiceName;
  readonly ring: KeyRing;
  readonly documents: Documents;
}

interface Around {
  readonly log: Logger;
  readonly closer: Closer;
  readonly signal: AbortSignal;
}

/** A command that was killed must not hold up the next one for as long as a service that may come back. */
const leaseMs = 60_000;
const instance = `command-${process.pid}`;

/** Of `npm start`, which may be running. @throws {StartupError} there is no server's data in this folder */
export async function openEmbeddedDataKeys(
  dataDir: string,
  names: readonly ServiceName[],
  { closer, ...around }: Around,
): Promise<readonly DataKeys[]> {
  const file = join(dataDir, "portcullis.sqlite");
  // A folder without one would be made into another server.
  if (!existsSync(file)) throw new StartupError(`--data ${dataDir}: there is no server's data in it`);
  const kms = await masterKeyFileKms(dataDir, file);
  const documents = openEmbeddedDocuments({ file, clock: systemClock });
  closer.add("documents", () => documents.close());
  const opened: DataKeys[] = [];
  for (const service of names) {
    const base = { service, instance, documents, kms, leaseMs, clock: systemClock, health: createHealth(), closer };
    opened.push({ service, documents, ring: await openRing({ ...base, ...around }) });
  }
  return opened;
}

/** Of one service of the distributed form, with its environment. @throws {ConfigError} @throws {StartupError} */
export async function openServiceDataKeys(
  service: ServiceName,
  environment: Environment,
  { closer, ...around }: Around,
): Promise<DataKeys> {
  if (!needs[service].vault) throw new StartupError(`${service} keeps no secrets: it has no data keys`);
  const { mongodbUrl } = distributedConfigOf(service).options;
  if (mongodbUrl === undefined) throw new TypeError("no setting for the database");
  readConfig(defineConfig({ ...distributedConfigOf(service, environment.KMS).options }), environment);
  const url = String(readConfig(defineConfig({ mongodbUrl }), environment).mongodbUrl);
  const kms = openKms(readConfig(kmsConfig, environment));
  const { log, signal } = around;
  const attempt = () => openMongoDocuments({ url, clock: systemClock });
  const documents = await untilReady({ what: "mongodb", attempt, log, signal });
  closer.add("documents", () => documents.close());
  const base = { service, instance, documents, kms, leaseMs, clock: systemClock, health: createHealth(), closer };
  return { service, documents, ring: await openRing({ ...base, ...around }) };
}
