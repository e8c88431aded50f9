import { BusUnavailableError, createServiceSeal, inboxPrefixOf } from "@portcullis/bus";
import { connectNatsBus } from "@portcullis/bus/nats";
import type { ServiceName } from "@portcullis/contracts";
import { openMongoDocuments } from "@portcullis/documents/mongodb";
import { openBullJobs } from "@portcullis/jobs/bullmq";
import {
  type Closer,
  createVault,
  type Health,
  type Logger,
  StartupError,
  systemClock,
  systemRandom,
  untilReady,
} from "@portcullis/runtime";
import { openRedisState } from "@portcullis/state/redis";
import { assemble } from "./assemble.ts";
import type { DistributedConfig } from "./config.ts";
import { needs } from "./needs.ts";
import type { Platform } from "./platform.ts";

export interface DistributedOptions {
  readonly service: ServiceName;
  readonly instance: string;
  readonly config: DistributedConfig;
  readonly log: Logger;
  readonly health: Health;
  readonly closer: Closer;
  readonly signal: AbortSignal;
}

/**
 * Waits for each engine, with a line whenever it tries in vain; `/readyz` names the missing one meanwhile.
 *
 * @throws {StartupError} a setting that this service needs is missing, or the engine refuses the credentials
 */
export async function openDistributed({
  service,
  instance,
  config,
  log,
  health,
  closer,
  signal,
}: DistributedOptions): Promise<Platform> {
  const want = needs[service];
  const clock = systemClock;
  const wait = <T>(what: string, attempt: () => Promise<T>) => waitFor(what, attempt, { log, health, signal });

  const masterKey = want.vault ? required("MASTER_KEY", config.masterKey, service) : null;
  const mongodbUrl = want.documents ? required("MONGODB_URL", config.mongodbUrl, service) : null;
  const redisUrl = want.state || want.jobs ? required("REDIS_URL", config.redisUrl, service) : null;

  const documents =
    mongodbUrl === null ? null : await wait("mongodb", () => openMongoDocuments({ url: mongodbUrl, clock }));
  if (documents !== null) watch("mongodb", documents);
  const state =
    redisUrl === null || !want.state ? null : await wait("redis", () => openRedisState({ url: redisUrl, clock }));
  if (state !== null) watch("redis", state);
  const jobs =
    redisUrl === null || !want.jobs
      ? null
      : await wait("redis jobs", () =>
          openBullJobs({ url: redisUrl, onError: (error) => log.warn("the job queue reports an error", {}, error) }),
        );
  if (jobs !== null) watch("redis jobs", jobs);
  const bus = await wait("nats", () => connect());
  watch("nats", bus);

  const seal = createServiceSeal({
    self: service,
    privateKey: Buffer.from(config.sealKey).toString("base64url"),
    directory: config.sealDirectory,
  });
  const vault = masterKey === null ? null : createVault({ masterKey, purpose: service });
  return assemble({
    service,
    instance,
    clock,
    random: systemRandom,
    log,
    health,
    closer,
    bus,
    seal,
    documents,
    state,
    jobs,
    vault,
  });

  function watch(name: string, engine: { ping(): Promise<void>; close(): Promise<void> }): void {
    health.add(name, () => engine.ping());
    closer.add(name, () => engine.close());
  }

  async function connect() {
    try {
      return await connectNatsBus({
        servers: [config.natsUrl],
        user: service,
        password: config.natsPassword,
        inboxPrefix: inboxPrefixOf(service),
        name: `${service} ${instance}`,
        onError: (error, subject) => log.warn("the bus reports an error", { subject }, error),
      });
    } catch (error) {
      if (error instanceof BusUnavailableError && error.reason === "refused") {
        throw new StartupError(`NATS refuses the user ${service}: check NATS_PASSWORD and the server's permissions`);
      }
      throw error;
    }
  }
}

async function waitFor<T>(
  what: string,
  attempt: () => Promise<T>,
  { log, health, signal }: { log: Logger; health: Health; signal: AbortSignal },
): Promise<T> {
  const remove = health.add(what, () => Promise.reject(new Error("not connected yet")));
  try {
    return await untilReady({ what, attempt, log, signal });
  } finally {
    remove();
  }
}

function required<T>(name: string, value: T | null, service: ServiceName): T {
  if (value === null) throw new StartupError(`${name}: is not set, and ${service} needs it`);
  return value;
}
