import { randomBytes } from "node:crypto";
import { createCloser, createHealth, createLogger } from "@portcullis/runtime";
import type { EmbeddedOptions } from "@portcullis/platform";
import { startEmbedded } from "../../../deploy/local/embedded.ts";
import { readEmbeddedConfig } from "../../../deploy/local/embedded-config.ts";
import { type Owner, signIn, signUp } from "../../../deploy/local/owner.ts";

/** A running Portcullis and an owner who is signed in. */
export interface World {
  readonly url: string;
  readonly owner: Owner;
  /** Every line that was logged. */
  readonly logs: string[];
  now(): number;
  /** Moves the server's clock; authenticators are asked for `now()`. */
  advance(ms: number): void;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly dataDir?: string;
  readonly onRoundTrip?: EmbeddedOptions["onRoundTrip"];
  readonly onTraffic?: EmbeddedOptions["onTraffic"];
}

/** All services in this process, in memory, on free ports. */
export async function startWorld(options: WorldOptions = {}): Promise<World> {
  const { env = {}, dataDir = null, onRoundTrip, onTraffic } = options;
  let offsetMs = 0;
  const now = () => Date.now() + offsetMs;
  const logs: string[] = [];
  const log = createLogger({ service: "test", level: "debug", destination: { write: (line) => void logs.push(line) } });
  const closer = createCloser((name, error) => log.error(`${name} did not stop cleanly`, {}, error));
  const settings = readEmbeddedConfig({ PORT: "0", SIGN_UP: "open", OUTBOX_DIR: `/tmp/portcullis-outbox-${randomBytes(6).toString("hex")}`, ...env });
  const { url } = await startEmbedded(settings, {
    dataDir,
    log,
    health: createHealth(),
    closer,
    clock: now,
    ...(onRoundTrip === undefined ? {} : { onRoundTrip }),
    ...(onTraffic === undefined ? {} : { onTraffic }),
  });
  const credentials = { email: `owner-${randomBytes(4).toString("hex")}@example.com`, password: randomBytes(18).toString("base64url") };
  await signUp(url, credentials, null);
  return {
    url,
    owner: await signIn(url, credentials),
    logs,
    now,
    advance(ms) {
      offsetMs += ms;
    },
    close: () => closer.close(),
  };
}
