import { type ServiceName, services } from "@portcullis/contracts";
import { kmsKinds } from "@portcullis/kms";
import {
  type ConfigDefinition,
  type ConfigOf,
  choice,
  defineConfig,
  fraction,
  logFormats,
  logLevels,
  type Option,
  type Options,
  port,
  secretKey,
  text,
  textType,
  url,
} from "@portcullis/runtime";
import { isKey, kmsConfig, requiredByKms } from "./kms-config.ts";
import { needs } from "./needs.ts";

const instance = textType("1 to 32 of A-Z, a-z, 0-9, _ and -", (value) =>
  /^[A-Za-z0-9_-]{1,32}$/.test(value) ? value : undefined,
);

const directory = textType(
  "the public seal keys of all services: edge=...,api=... with 43 characters of base64url each",
  (value) => {
    const pairs = value.split(",").map((pair) => pair.trim().split("="));
    const keys: Partial<Record<ServiceName, string>> = {};
    for (const [named, key = "", ...more] of pairs) {
      const name = services.find((each) => each === named);
      if (name === undefined || keys[name] !== undefined || more.length > 0 || !isKey(key)) return undefined;
      keys[name] = key;
    }
    const { edge, api, identity, factors, notify, keys: ofKeys } = keys;
    if (!edge || !api || !identity || !factors || !notify || !ofKeys) return undefined;
    return Object.freeze({ edge, api, identity, factors, notify, keys: ofKeys });
  },
);

/** What every process has, in either form. */
const common = {
  logLevel: {
    env: "LOG_LEVEL",
    type: choice(logLevels),
    default: "info",
    describe: "The least severe lines that are written.",
  },
  logFormat: {
    env: "LOG_FORMAT",
    type: choice(logFormats),
    default: "json",
    describe: "json for machines, text for people.",
  },
  otlpEndpoint: {
    env: "OTEL_EXPORTER_OTLP_ENDPOINT",
    type: url(["http", "https"]),
    default: null,
    describe: "OTLP/HTTP collector for traces and metrics. Unset: none are recorded.",
  },
  sampling: {
    env: "TRACE_SAMPLING",
    type: fraction(),
    default: "1",
    describe: "Share of new traces that are recorded; 0 records none.",
  },
} as const;

/** One process per service, on real engines. */
export const distributedConfig = defineConfig({
  ...common,
  instance: {
    env: "INSTANCE",
    type: instance,
    default: null,
    describe: "Names this replica; unset: random at each start.",
  },
  healthPort: {
    env: "HEALTH_PORT",
    type: port(),
    default: "8090",
    describe: "Where /healthz and /readyz are served by services without HTTP of their own; 0 takes a free port.",
  },
  healthHost: {
    env: "HEALTH_HOST",
    type: text({ min: 1, max: 255 }),
    default: "127.0.0.1",
    describe: "The address of HEALTH_PORT.",
  },
  natsUrl: {
    env: "NATS_URL",
    type: url(["nats", "tls"]),
    default: "nats://127.0.0.1:4222",
    describe: "NATS server, without credentials.",
  },
  natsPassword: {
    env: "NATS_PASSWORD",
    type: text({ min: 1, max: 128 }),
    secret: true,
    describe: "Password of this service's own NATS user (the user's name is the service's).",
  },
  mongodbUrl: {
    env: "MONGODB_URL",
    type: url(["mongodb", "mongodb+srv"]),
    default: null,
    describe: "MongoDB. Required by identity, factors and keys.",
  },
  redisUrl: {
    env: "REDIS_URL",
    type: url(["redis", "rediss"]),
    default: null,
    describe: "Redis. Required by identity, factors, keys and notify.",
  },
  ...kmsConfig.options,
  sealKey: {
    env: "SEAL_KEY",
    type: secretKey(),
    secret: true,
    describe: "Private X25519 key of this service: what it says to other services is sealed with it.",
  },
  sealDirectory: { env: "SEAL_DIRECTORY", type: directory, describe: "Public seal keys of all services." },
});
export type DistributedConfig = ConfigOf<(typeof distributedConfig)["options"]>;

/**
 * The same for one service: what it needs is required, so that its absence is reported together with all other problems.
 *
 * @param kms as it is set: each key service needs other settings. What is none is reported as that.
 */
export function distributedConfigOf(service: ServiceName, kms = "local"): ConfigDefinition<Options> {
  const { documents, state, jobs, vault } = needs[service];
  const { options } = distributedConfig;
  const kind = kmsKinds.find((each) => each === kms);
  const ofKms = vault && kind !== undefined ? requiredByKms[kind] : [];
  return defineConfig<Options>({
    ...options,
    ...(documents ? { mongodbUrl: required(options.mongodbUrl) } : {}),
    ...(state || jobs ? { redisUrl: required(options.redisUrl) } : {}),
    ...Object.fromEntries(ofKms.map((name) => [name, required(options[name])])),
  });
}

function required({ default: _, ...option }: Option): Option {
  return option;
}

/** All services in one process, nothing to install. */
export const embeddedConfig = defineConfig({
  ...common,
  logFormat: { ...common.logFormat, default: "text" },
  logLevel: { ...common.logLevel, default: "warn" },
  dataDir: {
    env: "DATA_DIR",
    type: text({ min: 1, max: 1024 }),
    default: "./data",
    describe: "Where everything is kept: database, master key, outbox.",
  },
});
export type EmbeddedConfig = ConfigOf<(typeof embeddedConfig)["options"]>;

/** The environment is read here and nowhere else. */
export const environment: Readonly<Record<string, string | undefined>> = process.env;
