import { type Bus, BusUnavailableError, createServiceSeal, inboxPrefixOf, type ServiceSeal } from "@portcullis/bus";
import { connectNatsBus } from "@portcullis/bus/nats";
import type { ServiceName } from "@portcullis/contracts";
import { openMongoDocuments } from "@portcullis/documents/mongodb";
import type { Jobs } from "@portcullis/jobs";
import { openBullJobs } from "@portcullis/jobs/bullmq";
import {
  type Closer,
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
import { openKms } from "./open-kms.ts";
import { openRing } from "./open-ring.ts";
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
 * Waits for each engine, with a line whenever it tries in vain; `/readyz` names all that are missing meanwhile.
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
  const { mongodbUrl, redisUrl } = config;
  // What is wrong in the settings is said before anything is waited for.
  const seal = openSeal(service, config);
  const kms = want.vault ? openKms(config) : null;

  // All of them are named as missing from the start, though they are connected one after the other: the order in which they
  // are registered is the reverse of the order in which they are closed.
  const documents = want.documents
    ? engine("mongodb", (url) => openMongoDocuments({ url, clock }), required("MONGODB_URL", mongodbUrl, service))
    : null;
  const state = want.state
    ? engine("redis", (url) => openRedisState({ url, clock }), required("REDIS_URL", redisUrl, service))
    : null;
  const jobs = want.jobs ? engine("redis jobs", connectJobs, required("REDIS_URL", redisUrl, service)) : null;
  const bus = engine("nats", connectBus, config.natsUrl);

  const openedDocuments = documents === null ? null : await documents();
  const base = { service, instance, clock, log, health, closer };
  const ring =
    kms === null || openedDocuments === null
      ? null
      : await openRing({ ...base, documents: openedDocuments, kms, leaseMs: config.keyLeaseMs, signal });

  return assemble({
    ...base,
    random: systemRandom,
    seal,
    vault: ring?.vault ?? null,
    documents: openedDocuments,
    state: state === null ? null : await state(),
    jobs: jobs === null ? null : await jobs(),
    bus: await bus(),
  });

  /** Named as missing now, waited for when called, watched and closed from then on. */
  function engine<T extends Engine>(name: string, open: (url: string) => Promise<T>, url: string): () => Promise<T> {
    const remove = health.add(name, () => Promise.reject(new Error("not connected yet")));
    return async () => {
      const opened = await untilReady({ what: name, attempt: () => open(url), log, signal });
      remove();
      health.add(name, () => opened.ping());
      closer.add(name, () => opened.close());
      return opened;
    };
  }

  function connectJobs(url: string): Promise<Jobs> {
    return openBullJobs({ url, onError: (error) => log.warn("the job queue reports an error", {}, error) });
  }

  async function connectBus(url: string): Promise<Bus> {
    try {
      return await connectNatsBus({
        servers: [url],
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

interface Engine {
  ping(): Promise<void>;
  close(): Promise<void>;
}

function openSeal(service: ServiceName, { sealKey, sealDirectory }: DistributedConfig): ServiceSeal {
  const privateKey = Buffer.from(sealKey).toString("base64url");
  try {
    return createServiceSeal({ self: service, privateKey, directory: sealDirectory });
  } catch (cause) {
    if (!(cause instanceof TypeError)) throw cause;
    throw new StartupError(`SEAL_KEY and SEAL_DIRECTORY do not go together: ${cause.message}`, { cause });
  }
}

function required<T>(name: string, value: T | null, service: ServiceName): T {
  if (value === null) throw new StartupError(`${name}: is not set, and ${service} needs it`);
  return value;
}
