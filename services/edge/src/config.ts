import {
  bytes,
  type ConfigOf,
  defineConfig,
  domainName,
  duration,
  integer,
  list,
  network,
  port,
  text,
} from "@portcullis/runtime";

export const edgeConfig = defineConfig({
  port: {
    env: "EDGE_PORT",
    type: port(),
    default: "8081",
    describe: "Where the edge takes connections when it runs on its own; 0 takes a free port.",
  },
  host: {
    env: "HOST",
    type: text({ min: 1, max: 255 }),
    default: "127.0.0.1",
    describe: "The address to listen on.",
  },
  domain: {
    env: "DOMAIN",
    type: domainName(),
    default: "localhost",
    describe: "Sockets live at {label}.DOMAIN, and at /{label} on every other host.",
  },
  trustedProxies: {
    env: "TRUSTED_PROXIES",
    type: list(network()),
    default: null,
    describe: "Proxies whose X-Forwarded-For is believed, counted from the right. Unset: none.",
  },
  connectionsMax: {
    env: "CONNECTIONS_MAX",
    type: integer({ min: 1, max: 1_000_000 }),
    default: "10000",
    describe: "Connections at once; more are answered 503.",
  },
  connectionsPerAddressMax: {
    env: "CONNECTIONS_PER_ADDRESS_MAX",
    type: integer({ min: 1, max: 1_000_000 }),
    default: "100",
    describe: "Connections at once from one IPv4 address or one IPv6 /64; more are answered 429.",
  },
  silentMax: {
    env: "SILENT_MAX",
    type: integer({ min: 1, max: 1_000_000 }),
    default: "1000",
    describe:
      "Connections held at once that are never answered again (`then: silence`), and half of CONNECTIONS_MAX at most; the oldest is closed for another one.",
  },
  openTimeoutMs: {
    env: "OPEN_TIMEOUT",
    type: duration({ min: "100ms", max: "2m" }),
    default: "10s",
    describe: "How long a connection may take to send its `open`.",
  },
  slowReaderBytes: {
    env: "SLOW_READER_BYTES",
    type: bytes({ min: "4KiB", max: "256MiB" }),
    default: "1MiB",
    describe: "A session that leaves more than this unread is cut off, and may come back.",
  },
  sweepIntervalMs: {
    env: "SWEEP_INTERVAL",
    type: duration({ min: "100ms", max: "10m" }),
    default: "15s",
    describe: "How often `identity` is asked which sessions are over, in case a push was lost.",
  },
  pingIntervalMs: {
    env: "PING_INTERVAL",
    type: duration({ min: "100ms", max: "5m" }),
    default: "25s",
    describe: "How often a connection is pinged; after two unanswered pings it counts as dead.",
  },
});

export type EdgeConfig = ConfigOf<typeof edgeConfig.options>;
