import { connect } from "@nats-io/transport-node";
import type { Bus } from "../port.ts";
import type { BusErrorListener } from "../tasks.ts";
import { createNatsBus } from "./bus.ts";
import { unavailable } from "./failures.ts";
import { createLink } from "./link.ts";

export interface NatsBusOptions {
  /** `host:port`, with or without `nats://`; never with credentials, because errors name the server. */
  readonly servers: readonly string[];
  readonly user?: string;
  readonly password?: string;
  /** The only place where answers arrive; permissions keep it to this service. Default `_INBOX`. */
  readonly inboxPrefix?: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  /** Takes what handlers throw and what the server refuses without being asked to answer. */
  readonly onError: BusErrorListener;
  /** PEM files. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
}

const connectTimeoutMs = 5_000;
const reconnectFirstMs = 100;
const reconnectMaxMs = 5_000;
// A connection that died without a word is noticed after two silent pings.
const pingIntervalMs = 10_000;

/**
 * Connects once; from then on it reconnects for ever, with a growing and jittered pause of up to 5 s, even if the server
 * refuses the credentials for a while.
 *
 * @throws {BusUnavailableError} `refused`: wrong credentials; `disconnected`: nobody there. The caller decides whether to try again.
 * @throws {TypeError} a server address carries credentials
 */
export async function connectNatsBus(options: NatsBusOptions): Promise<Bus> {
  const { servers, user, password, name, inboxPrefix = "_INBOX", onError, tls } = options;
  if (servers.some((server) => server.includes("@")))
    throw new TypeError("credentials do not belong in a server address");
  if (!inboxPrefix.startsWith("_INBOX")) throw new TypeError("an inbox prefix starts with _INBOX");
  // nats.js asks for the pause several times per attempt, so it must follow from the time and not from the number of calls.
  let lostAt = performance.now();
  let jitter = 1;
  const pauseMs = () => {
    const half = (performance.now() - lostAt) / 2;
    return Math.round(jitter * Math.min(reconnectMaxMs, Math.max(reconnectFirstMs, half)));
  };
  try {
    const connection = await connect({
      servers: [...servers],
      name,
      inboxPrefix,
      timeout: connectTimeoutMs,
      reconnect: true,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: pauseMs,
      pingInterval: pingIntervalMs,
      noAsyncTraces: true,
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
      ...(tls === undefined ? {} : { tls: { ...tls } }),
    });
    const link = createLink(connection, onError);
    link.onStatus((status) => {
      if (status !== "disconnected") return;
      lostAt = performance.now();
      jitter = 0.5 + Math.random() / 2;
    });
    return createNatsBus(link, onError);
  } catch (error) {
    throw unavailable(name, error);
  }
}
