import { services } from "@portcullis/contracts";
import {
  type ConfigOf,
  choice,
  defineConfig,
  fraction,
  logFormats,
  logLevels,
  port,
  secretKey,
  text,
  textType,
  url,
} from "@portcullis/runtime";

const instance = textType("1 to 32 of A-Z, a-z, 0-9, _ and -", (value) =>
  /^[A-Za-z0-9_-]{1,32}$/.test(value) ? value : undefined,
);

const directory = textType(
  "the public seal keys of all services: edge=...,api=... with 43 characters of base64url each",
  (value) => {
    const pairs = value.split(",").map((pair) => pair.trim().split("="));
    const keys: Record<string, string> = Object.fromEntries(pairs.map(([name = "", key = ""]) => [name, key]));
    const complete = services.every((name) => /^[A-Za-z0-9_-]{43}$/.test(keys[name] ?? ""));
    return complete && pairs.length === services.length ? Object.freeze(keys) : undefined;
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
  masterKey: {
    env: "MASTER_KEY",
    type: secretKey(),
    default: null,
    secret: true,
    describe: "Wraps what this service stores. Required by identity, factors and keys; different for each.",
  },
  sealKey: {
    env: "SEAL_KEY",
    type: secretKey(),
    secret: true,
    describe: "Private X25519 key of this service: what it says to other services is sealed with it.",
  },
  sealDirectory: { env: "SEAL_DIRECTORY", type: directory, describe: "Public seal keys of all services." },
});
export type DistributedConfig = ConfigOf<(typeof distributedConfig)["options"]>;

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
