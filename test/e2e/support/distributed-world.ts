import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceName } from "@portcullis/contracts";
import { createCloser } from "@portcullis/runtime";
import { type Distributed, startDistributed, writeNatsConfig } from "../../../deploy/local/distributed.ts";
import { freePort } from "../../../deploy/local/free-port.ts";
import { type Owner, signIn, signUp } from "../../../deploy/local/owner.ts";
import type { Replica } from "../../../deploy/local/replica.ts";
import { readSecrets } from "../../../deploy/local/secrets.ts";
import { type OtlpReceiver, startOtlpReceiver } from "../../../libs/runtime/test/otlp-receiver.ts";
import { startEngines } from "../../engines/engines.ts";
import { type EngineWire, startEngineWire } from "./engine-wire.ts";

/** One process per service on real engines, behind one address. */
export interface DistributedWorld {
  readonly url: string;
  /** `ws://localhost:…` of the edges themselves, past the balancer. */
  readonly edges: readonly string[];
  readonly owner: Owner;
  readonly credentials: { readonly email: string; readonly password: string };
  /** Holds what each service's process was given (`secrets.json`), the logs and the outbox. */
  readonly dataDir: string;
  /** Mails end here, one `.eml` each. */
  readonly outboxDir: string;
  readonly nats: EngineWire;
  readonly redis: EngineWire;
  readonly mongodb: EngineWire;
  readonly otlp: OtlpReceiver;
  readonly replicas: readonly Replica[];
  replica(name: string): Replica;
  /** How many mails were written to the outbox. */
  mails(): number;
  /** What was sent to this contact, by the outbox' API. */
  sentTo(to: string): Promise<readonly string[]>;
  /** What all processes logged, at debug level. */
  logs(): Buffer;
  /** The same of one replica. */
  log(name: string): string;
  /** Status and names of the checks that fail. */
  readiness(replica: Replica): Promise<{ readonly status: number; readonly text: string }>;
  /** Resolves when all are ready. */
  allReady(): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param settings more of them, for every service
 * @returns why it cannot be had on this machine. With CI=true that is an error.
 */
export async function startDistributedWorld(
  settings: Readonly<Record<string, string>> = {},
): Promise<DistributedWorld | { readonly missing: string }> {
  const log: string[] = [];
  const say = (line: string) => void log.push(line);
  const { NATS_URL: _, ...own } = process.env;
  const closer = createCloser((name, error) => console.error(`${name} did not stop cleanly`, error));
  try {
    const dataDir = mkdtempSync(join(tmpdir(), "portcullis-distributed-"));
    closer.add("folder", async () => rmSync(dataDir, { recursive: true, force: true }));
    // NATS is always our own: with the users and permissions that were generated for this run.
    const natsConfig = await writeNatsConfig(dataDir, await readSecrets(dataDir));
    const engines = await startEngines({ log: say, env: own, natsConfig });
    closer.add("engines", () => engines.stop());
    const { natsUrl, redisUrl, mongodbUrl } = engines;
    if (natsUrl === null || redisUrl === null || mongodbUrl === null) {
      await closer.close();
      return { missing: engines.missing.map(({ engine, why }) => `${engine} (${why})`).join(", ") };
    }
    const nats = await startEngineWire(natsUrl, 4222);
    closer.add("nats wire", () => nats.cut());
    // Other tests may use the same engines: a database of one's own in each.
    const redis = await startEngineWire(ownRedis(redisUrl), 6379);
    closer.add("redis wire", () => redis.cut());
    const mongodb = await startEngineWire(ownMongo(mongodbUrl), 27017);
    closer.add("mongodb wire", () => mongodb.cut());
    const otlp = await startOtlpReceiver();
    closer.add("collector", () => otlp.close());

    const running = await startDistributed({
      dataDir,
      port: await freePort(),
      host: "127.0.0.1",
      closer,
      say,
      env: { ...own, NATS_URL: nats.url, REDIS_URL: redis.url, MONGODB_URL: mongodb.url },
      settings: {
        LOG_LEVEL: "debug",
        SIGN_UP: "open",
        RATE_LIMIT_PER_MINUTE: "100000",
        CONNECTIONS_PER_ADDRESS_MAX: "10000",
        OTEL_EXPORTER_OTLP_ENDPOINT: otlp.endpoint,
        ...settings,
      },
    });
    const { url } = running;
    const credentials = { email: "owner@example.com", password: randomBytes(18).toString("base64url") };
    await signUp(url, credentials, null);
    const owner = await signIn(url, credentials);
    const close = () => closer.close();
    return assemble({ running, dataDir, credentials, owner, nats, redis, mongodb, otlp, close });
  } catch (error) {
    await closer.close();
    console.error(log.join("\n"));
    throw error;
  }
}

function assemble({
  running,
  dataDir,
  ...rest
}: Pick<DistributedWorld, "dataDir" | "credentials" | "owner" | "nats" | "redis" | "mongodb" | "otlp" | "close"> & {
  readonly running: Distributed;
}): DistributedWorld {
  const { url, outboxKey, replicas } = running;
  const outboxDir = join(dataDir, "outbox");
  const of = (service: ServiceName) => replicas.filter((replica) => replica.service === service);
  async function readiness({ healthPort }: Replica) {
    try {
      const answer = await fetch(`http://127.0.0.1:${healthPort}/readyz`, { signal: AbortSignal.timeout(5_000) });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return { status: 0, text: "" };
    }
  }
  return {
    ...rest,
    dataDir,
    outboxDir,
    url,
    edges: of("edge").map(({ healthPort }) => `ws://localhost:${healthPort}`),
    replicas,
    replica(name) {
      const found = replicas.find((replica) => replica.name === name);
      if (found === undefined) throw new Error(`there is no ${name}`);
      return found;
    },
    logs: () =>
      Buffer.concat(readdirSync(join(dataDir, "logs")).map((name) => readFileSync(join(dataDir, "logs", name)))),
    async sentTo(to) {
      const headers = { authorization: `Bearer ${outboxKey}` };
      const answer = await fetch(`${url}/v1/outbox?limit=100`, { headers });
      const { messages } = (await answer.json()) as { messages: { to: string; text: string }[] };
      return messages.filter((message) => message.to === to).map(({ text }) => text);
    },
    mails: () => readdirSync(outboxDir).filter((name) => name.endsWith(".eml")).length,
    log: (name) => readFileSync(join(dataDir, "logs", `${name}.log`), "utf8"),
    readiness,
    async allReady() {
      for (const replica of replicas) {
        for (let attempt = 0; (await readiness(replica)).status !== 200; attempt += 1) {
          if (attempt === 150) throw new Error(`${replica.name}: ${(await readiness(replica)).text}`);
          await sleep(100);
        }
      }
    },
  };
}

/** By the test process: two deployments in one database would take each other's jobs, and could open none of them. */
function ownRedis(given: string): string {
  const url = new URL(given);
  if (url.pathname.length <= 1) url.pathname = `/${10 + Number(process.env.VITEST_POOL_ID ?? 1)}`;
  return url.href;
}

function ownMongo(given: string): string {
  const url = new URL(given);
  url.pathname = `/e2e${randomBytes(6).toString("hex")}`;
  // A replica set would tell its own addresses, past the wire.
  url.searchParams.set("directConnection", "true");
  return url.href;
}
