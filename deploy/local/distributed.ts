import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { contracts, type ServiceName } from "@portcullis/contracts";
import { type Closer, StartupError } from "@portcullis/runtime";
import { type Engines, startEngines } from "../../test/engines/engines.ts";
import { renderNatsConfig, serviceUsers } from "../nats/permissions.ts";
import { startBalancer } from "./balancer.ts";
import { freePort } from "./free-port.ts";
import { readOutboxKey } from "./outbox-key.ts";
import { type Replica, startReplica } from "./replica.ts";
import { environmentOf, readSecrets, type Secrets } from "./secrets.ts";

export interface DistributedOptions {
  readonly dataDir: string;
  readonly port: number;
  readonly host: string;
  readonly closer: Closer;
  /** One line at a time. */
  readonly say: (line: string) => void;
  /** Settings handed to every service, for example `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where `NATS_URL`, `REDIS_URL` and `MONGODB_URL` are looked up. Default: the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

export interface Distributed {
  readonly url: string;
  readonly bootstrapToken: string;
  /** Opens the page of the outbox. */
  readonly outboxKey: string;
  readonly replicas: readonly Replica[];
  readonly engines: Engines;
}

const replicaCounts: Readonly<Record<ServiceName, number>> = {
  keys: 2,
  factors: 2,
  identity: 2,
  notify: 1,
  edge: 2,
  api: 1,
};
const readyMsMax = 90_000;

/** Engines, then one process per service, then one address in front of them. Resolves when all of them are ready. */
export async function startDistributed(options: DistributedOptions): Promise<Distributed> {
  const { dataDir, closer, say, settings = {}, env } = options;
  const secrets = await readSecrets(dataDir);
  const logs = join(dataDir, "logs");
  await mkdir(logs, { recursive: true, mode: 0o700 });

  const outboxKey = await readOutboxKey(dataDir);
  const natsConfig = await writeNatsConfig(dataDir, secrets);
  const engines = await startEngines({
    log: (line) => say(`engine ${line}`),
    natsConfig,
    ...(env === undefined ? {} : { env }),
  }).catch((cause: Error) => {
    throw new StartupError(`an engine cannot be had: ${cause.message.split("\n", 1)[0]}`, { cause });
  });
  closer.add("engines", () => engines.stop());
  const { natsUrl, redisUrl, mongodbUrl } = engines;
  if (natsUrl === null || redisUrl === null || mongodbUrl === null) {
    const missing = engines.missing.map(({ engine, why }) => `${engine} (${why})`).join(", ");
    throw new StartupError(
      `the distributed form needs NATS, Redis and MongoDB; missing: ${missing}. Name one with NATS_URL, REDIS_URL or MONGODB_URL, or install it`,
    );
  }

  const url = `http://localhost:${options.port}`;
  const common = {
    NATS_URL: natsUrl,
    REDIS_URL: redisUrl,
    MONGODB_URL: mongodbUrl,
    TRUSTED_PROXIES: "127.0.0.1,::1",
    PUBLIC_URL: url,
    OUTBOX_DIR: join(dataDir, "outbox"),
    OUTBOX_KEY: outboxKey,
    ...settings,
  };
  const names = (Object.keys(replicaCounts) as ServiceName[]).flatMap((service) =>
    Array.from({ length: replicaCounts[service] }, (_, index) => ({ service, name: `${service}-${index + 1}` })),
  );
  const replicas: Replica[] = [];
  closer.add("services", async () => {
    // Edges first: they tell their clients to come back while the rest still answers.
    for (const part of [["edge"], ["api"], ["identity", "factors", "keys", "notify"]]) {
      await Promise.all(replicas.filter(({ service }) => part.includes(service)).map((replica) => replica.stop()));
    }
  });
  for (const { service, name } of names) {
    const healthPort = await freePort();
    const port = {
      HEALTH_PORT: `${healthPort}`,
      ...(service === "api" ? { PORT: `${healthPort}` } : {}),
      ...(service === "edge" ? { EDGE_PORT: `${healthPort}` } : {}),
    };
    replicas.push(
      startReplica({
        name,
        service,
        healthPort,
        env: { ...only(service, common), ...environmentOf(service, secrets), ...port, INSTANCE: name },
        logFile: join(logs, `${name}.log`),
        onExit: (which, how) => say(`${which} ended (${how}) and is started again; see ${join(logs, `${which}.log`)}`),
      }),
    );
  }
  say(`services started: ${names.map(({ name }) => name).join(", ")}`);
  await Promise.all(replicas.map((replica) => untilReady(replica, logs)));

  const portsOf = (service: ServiceName) =>
    replicas.filter((replica) => replica.service === service).map(({ healthPort }) => healthPort);
  const balancer = await startBalancer({
    port: options.port,
    host: options.host,
    apiPort: portsOf("api")[0] ?? 0,
    edgePorts: portsOf("edge"),
  });
  closer.add("balancer", () => balancer.close());
  return { url, bootstrapToken: secrets.bootstrapToken, outboxKey, replicas, engines };
}

/** The users and permissions of this deployment, for a NATS server of its own. @returns the file */
export async function writeNatsConfig(dataDir: string, secrets: Secrets): Promise<string> {
  const passwords = Object.fromEntries(
    Object.entries(secrets.services).map(([name, { natsPassword }]) => [name, natsPassword]),
  );
  const file = join(dataDir, "nats.conf");
  // A server of ours takes its address from the command line; in a container it listens on the usual port.
  const users = serviceUsers(contracts, passwords);
  await writeFile(file, renderNatsConfig({ users, host: "0.0.0.0", port: 4222 }), { mode: 0o600 });
  return file;
}

/** An edge is not even told where the databases are. */
function only(service: ServiceName, common: Readonly<Record<string, string>>): Record<string, string> {
  const { MONGODB_URL, REDIS_URL, OUTBOX_KEY, ...rest } = common;
  const withRedis = REDIS_URL !== undefined && service !== "edge" && service !== "api" ? { REDIS_URL } : {};
  const withMongo =
    MONGODB_URL !== undefined && ["identity", "factors", "keys"].includes(service) ? { MONGODB_URL } : {};
  const withOutbox = OUTBOX_KEY !== undefined && service === "notify" ? { OUTBOX_KEY } : {};
  return { ...rest, ...withRedis, ...withMongo, ...withOutbox };
}

async function untilReady(replica: Replica, logs: string): Promise<void> {
  const deadline = Date.now() + readyMsMax;
  while (Date.now() < deadline) {
    try {
      const answer = await fetch(`http://127.0.0.1:${replica.healthPort}/readyz`, {
        signal: AbortSignal.timeout(2_000),
      });
      if (answer.ok) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  throw new StartupError(
    `${replica.name} did not become ready within ${readyMsMax / 1000} s; see ${join(logs, `${replica.name}.log`)}`,
  );
}
