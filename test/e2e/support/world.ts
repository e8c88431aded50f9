import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run as runEdge } from "@portcullis/edge";
import { run as runFactors } from "@portcullis/factors";
import { run as runIdentity } from "@portcullis/identity";
import { run as runKeys } from "@portcullis/keys";
import type { EmbeddedOptions } from "@portcullis/platform";
import { createCloser, createHealth, createLogger } from "@portcullis/runtime";
import { type RunningEmbedded, startEmbedded } from "../../../deploy/local/embedded.ts";
import { type EmbeddedSettings, readEmbeddedConfig } from "../../../deploy/local/embedded-config.ts";
import { type Owner, signIn, signUp } from "../../../deploy/local/owner.ts";
import { helloComes } from "./raw-client.ts";

/** A running Portcullis and an owner who is signed in. */
export interface World {
  readonly url: string;
  /** `ws://localhost:…` of each edge; two with `replicas`. */
  readonly edges: readonly string[];
  readonly owner: Owner;
  readonly credentials: { readonly email: string; readonly password: string };
  /** The token with which that owner signed up where sign-up is closed; used up by it. */
  readonly bootstrapToken: string | null;
  /** Mails end here, one `.eml` each. */
  readonly outboxDir: string;
  /** Every line that was logged. */
  readonly logs: string[];
  /** For what nobody outside can see or do. */
  readonly embedded: RunningEmbedded["embedded"];
  now(): number;
  /** Moves the server's clock; authenticators are asked for `now()`. After more than a few seconds, wait for `fresh()`. */
  advance(ms: number): void;
  /** Resolves when the edges hold a server bundle that is good at the moved time. */
  fresh(): Promise<void>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  /** A second instance of edge (on a port of its own), identity, keys and factors on the same bus and stores. */
  readonly replicas?: boolean;
  readonly onRoundTrip?: EmbeddedOptions["onRoundTrip"];
  readonly onTraffic?: EmbeddedOptions["onTraffic"];
  readonly onStoreCall?: EmbeddedOptions["onStoreCall"];
}

/** All services in this process, in memory, on free ports. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { env = {}, dataDir = null, replicas = false, onRoundTrip, onTraffic, onStoreCall } = options;
  let offsetMs = 0;
  const now = () => Date.now() + offsetMs;
  const logs: string[] = [];
  const log = createLogger({ service: "test", level: "debug", destination: { write: (line) => void logs.push(line) } });
  const closer = createCloser((name, error) => log.error(`${name} did not stop cleanly`, {}, error));
  const outboxDir = env.OUTBOX_DIR ?? join(tmpdir(), `portcullis-outbox-${randomBytes(6).toString("hex")}`);
  const settings = readEmbeddedConfig({
    PORT: "0",
    SIGN_UP: "open",
    // Everybody here has one address.
    RATE_LIMIT_PER_MINUTE: "100000",
    CONNECTIONS_PER_ADDRESS_MAX: "10000",
    HTTP_CONNECTIONS_PER_ADDRESS_MAX: "10000",
    ...env,
    OUTBOX_DIR: outboxDir,
  });
  const running = await startEmbedded(settings, {
    dataDir,
    log,
    health: createHealth(),
    closer,
    clock: now,
    ...(onRoundTrip === undefined ? {} : { onRoundTrip }),
    ...(onTraffic === undefined ? {} : { onTraffic }),
    ...(onStoreCall === undefined ? {} : { onStoreCall }),
  });
  const { url, bootstrapToken } = running;
  const edges = [url.replace(/^http/, "ws"), ...(replicas ? [await addReplicas(running, settings)] : [])];
  const credentials = {
    email: `owner-${randomBytes(4).toString("hex")}@example.com`,
    password: randomBytes(18).toString("base64url"),
  };
  await signUp(url, credentials, env.SIGN_UP === "closed" ? bootstrapToken : null);
  return {
    url,
    edges,
    owner: await signIn(url, credentials),
    credentials,
    bootstrapToken,
    outboxDir,
    logs,
    embedded: running.embedded,
    now,
    advance(ms) {
      offsetMs += ms;
    },
    async fresh() {
      for (const edge of edges) await helloComes(`${edge}/nobody/nowhere`);
    },
    async close() {
      await closer.close();
      await rm(outboxDir, { recursive: true, force: true });
    },
  };
}

/** @returns where the second edge takes connections. */
async function addReplicas({ embedded, url }: RunningEmbedded, settings: EmbeddedSettings): Promise<string> {
  await runKeys(embedded.platformFor("keys", "keys-2"), settings.keys);
  await runFactors(embedded.platformFor("factors", "factors-2"), { ...settings.factors, publicUrl: url });
  await runIdentity(embedded.platformFor("identity", "identity-2"), settings.identity);
  const { instance, clock, ids, random, log, closer, caller, server } = embedded.platformFor("edge", "edge-2");
  // Two edges have two of every check.
  const platform = { instance, clock, ids, random, log, closer, caller, server, health: createHealth() };
  const edge = await runEdge(platform, { ...settings.edge, port: 0 });
  return `ws://localhost:${edge.port}`;
}
