import { resolve } from "node:path";
import { fromBinary } from "./binaries.ts";
import { fromDebian } from "./debian.ts";
import { fromDocker } from "./docker.ts";
import { fromEnvironment } from "./environment.ts";
import { fromFerretDb } from "./ferretdb.ts";
import { inspectMongo } from "./inspect-mongo.ts";
import { type EngineName, engineNames, type RunningEngine, type StartContext, type Way } from "./types.ts";

export interface StartEnginesOptions {
  readonly want?: readonly EngineName[];
  /** One line at a time, without its end. */
  readonly log: (line: string) => void;
  /** A configuration file for nats-server: users, permissions. It must not name an address or a port. */
  readonly natsConfig?: string | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

export interface Engines {
  readonly natsUrl: string | null;
  readonly redisUrl: string | null;
  readonly mongodbUrl: string | null;
  readonly capabilities: {
    /** Conditional updates are atomic: MongoDB, not FerretDB. False as well when there is neither. */
    readonly mongoAtomic: boolean;
  };
  readonly missing: readonly { readonly engine: EngineName; readonly why: string }[];
  stop(): Promise<void>;
}

/** The order of preference. What the environment names is never replaced by something else. */
const ways: readonly { readonly name: string; readonly way: Way }[] = [
  { name: "Docker", way: fromDocker },
  { name: "a program on the PATH", way: fromBinary },
  { name: "Debian's package", way: fromDebian },
  { name: "FerretDB built with Go", way: fromFerretDb },
];

/** Gets real engines for tests. @throws when one cannot be had and `CI=true`. */
export async function startEngines(options: StartEnginesOptions): Promise<Engines> {
  const { log, env = process.env, want = engineNames } = options;
  // A server runs in a folder of its own, where what is relative to ours leads nowhere.
  const natsConfig = options.natsConfig === undefined ? undefined : resolve(options.natsConfig);
  const context: StartContext = { env, log, natsConfig };
  const running = new Map<EngineName, RunningEngine>();
  const missing: { engine: EngineName; why: string }[] = [];
  const stop = async () => {
    await Promise.allSettled([...running.values()].map((engine) => engine.stop()));
  };

  try {
    for (const engine of want) {
      const outcome = await startOne(engine, context);
      if ("why" in outcome) {
        missing.push({ engine, why: outcome.why });
        log(`${engine}: cannot be had: ${outcome.why}`);
      } else {
        running.set(engine, outcome);
        log(`${engine}: ${outcome.from}`);
      }
    }
    if (missing.length > 0 && env.CI === "true") {
      throw new Error(`CI=true and no ${missing.map(({ engine, why }) => `${engine} (${why})`).join(", no ")}`);
    }
    const mongodbUrl = running.get("mongodb")?.url ?? null;
    const mongoAtomic = mongodbUrl !== null && (await inspectMongo(mongodbUrl)).atomic;
    if (mongodbUrl !== null && !mongoAtomic) log("mongo-atomic: unproven: only FerretDB is there");
    return {
      natsUrl: running.get("nats")?.url ?? null,
      redisUrl: running.get("redis")?.url ?? null,
      mongodbUrl,
      capabilities: { mongoAtomic },
      missing,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The environment of a test run: what the suites look at. */
export function testEnvironment(engines: Engines): Record<string, string> {
  const { natsUrl, redisUrl, mongodbUrl, capabilities } = engines;
  return {
    ...(natsUrl === null ? {} : { NATS_URL: natsUrl }),
    ...(redisUrl === null ? {} : { REDIS_URL: redisUrl }),
    ...(mongodbUrl === null ? {} : { MONGODB_URL: mongodbUrl }),
    PORTCULLIS_MONGO_ATOMIC: capabilities.mongoAtomic ? "1" : "0",
  };
}

async function startOne(engine: EngineName, context: StartContext): Promise<RunningEngine | { why: string }> {
  // A failure here is final: who names an engine wants that one.
  const named = await fromEnvironment(engine, context);
  if (named) return named;
  const reasons: string[] = [];
  for (const { name, way } of ways) {
    try {
      const started = await way(engine, context);
      if (started) return started;
    } catch (error) {
      const reason = `${name} failed: ${firstLine(error)}`;
      context.log(`${engine}: ${reason}`);
      reasons.push(reason);
    }
  }
  return {
    why: reasons.length > 0 ? reasons.join("; ") : "no Docker, no program on the PATH, nothing to install it with",
  };
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
}
