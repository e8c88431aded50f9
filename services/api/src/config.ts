import { isIP } from "node:net";
import {
  type ConfigOf,
  defineConfig,
  domainName,
  duration,
  flag,
  integer,
  list,
  network,
  origin,
  port,
  textType,
} from "@portcullis/runtime";

export const apiConfig = defineConfig({
  port: {
    env: "PORT",
    type: port(),
    default: "8080",
    describe: "TCP port of the API, and of the sockets where the edge shares it; 0 takes a free one",
  },
  host: {
    env: "HOST",
    type: textType("an IP address", (text) => (isIP(text) === 0 ? undefined : text)),
    default: "127.0.0.1",
    describe: "address to listen on; 0.0.0.0 or :: for all",
  },
  publicUrl: {
    env: "PUBLIC_URL",
    type: origin(["http:", "https:"], "https://portcullis.example.com"),
    default: null,
    describe:
      "where owners' browsers reach the API; unset: http://localhost:PORT. Requests with a cookie must come from it",
  },
  socketsUrl: {
    env: "SOCKETS_URL",
    type: origin(["ws:", "wss:"], "wss://sockets.example.com"),
    default: null,
    describe:
      "where sockets are, for the URLs that owners are shown; their pages are there too, and nothing else of the API where it is another host; unset: PUBLIC_URL with ws or wss",
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
    describe: "reverse proxies whose X-Forwarded-For is believed; unset: nobody's",
  },
  cookieSecure: {
    env: "COOKIE_SECURE",
    type: flag(),
    default: "true",
    describe:
      "false only for plain http on a name other than localhost, where browsers refuse secure cookies: the session then " +
      "travels readable, in a cookie named portcullis instead of __Host-portcullis",
  },
  rateLimitPerMinute: {
    env: "RATE_LIMIT_PER_MINUTE",
    type: integer({ min: 1, max: 1_000_000 }),
    default: "300",
    describe: "requests per minute and address (IPv6: per /64) before the API answers 429",
  },
  connectionsMax: {
    env: "HTTP_CONNECTIONS_MAX",
    type: integer({ min: 1, max: 100_000 }),
    default: "2000",
    describe:
      "HTTP connections at once, WebSockets not counted; above, a newcomer takes the place of the one that was idle or still " +
      "sending its request for longest",
  },
  connectionsPerAddressMax: {
    env: "HTTP_CONNECTIONS_PER_ADDRESS_MAX",
    type: integer({ min: 1, max: 100_000 }),
    default: "100",
    describe: "the same for one address (IPv6: one /64) that is no trusted proxy",
  },
  headersTimeoutMs: {
    env: "HTTP_HEADERS_TIMEOUT",
    type: duration({ min: "100ms", max: "1m" }),
    default: "10s",
    describe: "how long the headers of a request may take; never longer than HTTP_REQUEST_TIMEOUT",
  },
  requestTimeoutMs: {
    env: "HTTP_REQUEST_TIMEOUT",
    type: duration({ min: "100ms", max: "5m" }),
    default: "15s",
    describe:
      "how long a whole request may take to arrive; a connection on which nothing moves for twice as long is cut",
  },
  keepAliveTimeoutMs: {
    env: "HTTP_KEEP_ALIVE_TIMEOUT",
    type: duration({ min: "100ms", max: "10m" }),
    default: "10s",
    describe: "how long a connection is kept for a next request; behind a proxy, longer than the proxy keeps it",
  },
});
export type ApiConfig = ConfigOf<(typeof apiConfig)["options"]>;
