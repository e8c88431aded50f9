import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { readDemo } from "../local/first-run.ts";
import { freePort } from "../local/free-port.ts";
import { readOutboxKey } from "../local/outbox-key.ts";
import { type Owner, signIn, signUp } from "../local/owner.ts";
import type { Children } from "./children.ts";

export const modes = ["embedded", "distributed", "running"] as const;
export type Mode = (typeof modes)[number];

/** Running services, and the owner whom their first run made. */
export interface Stage {
  readonly url: string;
  readonly port: number;
  /** The port speaks TLS. */
  readonly tls: boolean;
  readonly owner: Owner;
  /** What would have been sent, the newest first. */
  outbox(): Promise<readonly SentMessage[]>;
}

export interface SentMessage {
  readonly to: string;
  readonly text: string;
}

const launchers = {
  embedded: { script: "../local/start.ts", stopMsMax: 6_000 },
  distributed: { script: "../local/start-distributed.ts", stopMsMax: 15_000 },
} as const;
const readyMsMax = 100_000;

/** What would let the demo meet services, data or engines that are somebody's. */
const settingsNotPassedOn = new Set(
  [
    "EDGE_PORT PUBLIC_URL SOCKETS_URL SIGN_UP BOOTSTRAP_TOKEN OUTBOX_DIR MASTER_KEY TRUSTED_PROXIES DOMAIN",
    "NATS_URL REDIS_URL MONGODB_URL SMTP_URL CONNECTIONS_MAX CONNECTIONS_PER_ADDRESS_MAX OTP_FAILURES_MAX",
    "HTTP_CONNECTIONS_MAX HTTP_CONNECTIONS_PER_ADDRESS_MAX HTTP_HEADERS_TIMEOUT HTTP_REQUEST_TIMEOUT",
  ].flatMap((names) => names.split(" ")),
);

/**
 * Services that run already, of which the demo uses nothing but an account of its own.
 *
 * @throws {Error} they are not ready, or do not take the tokens
 */
export async function findStage(given: {
  readonly url: string;
  /** With which the first account may be opened where sign-up is closed; null where it is open. */
  readonly bootstrapToken: string | null;
  readonly outboxKey: string;
}): Promise<Stage> {
  const { bootstrapToken, outboxKey } = given;
  const { origin: url, port, protocol } = new URL(given.url);
  if (!(await isReady(url))) throw new Error(`nothing is ready at ${url}`);
  const tls = protocol === "https:";
  // The same account the next time, because a bootstrap token opens one.
  const own = createHash("sha256").update(`demo ${bootstrapToken ?? randomBytes(18).toString("hex")}`);
  const name = own.copy().digest("hex").slice(0, 12);
  const credentials = { email: `demo-${name}@example.com`, password: own.update(" password").digest("base64url") };
  const owner = await signIn(url, credentials).catch(async () => {
    await signUp(url, credentials, bootstrapToken);
    return signIn(url, credentials);
  });
  return { url, port: Number(port || (tls ? 443 : 80)), tls, owner, outbox: () => readOutbox(url, outboxKey) };
}

/** @throws {Error} with the last words of services that do not become ready. */
export async function startStage(mode: Exclude<Mode, "running">, folder: string, children: Children): Promise<Stage> {
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const dataDir = join(folder, "data");
  await mkdir(dataDir, { mode: 0o700 });
  const logFile = join(folder, "services.log");
  const { script, stopMsMax } = launchers[mode];
  const inherited = Object.entries(process.env).filter(([name]) => !settingsNotPassedOn.has(name));
  const env = {
    ...Object.fromEntries(inherited),
    PORT: `${port}`,
    HOST: "127.0.0.1",
    DATA_DIR: dataDir,
    DEMO: "true",
  };
  const services = await children.spawn(script, { env, logFile, stopMsMax });

  const deadlineMs = Date.now() + readyMsMax;
  for (;;) {
    const demo = (await isReady(url)) ? await readDemo(dataDir) : null;
    if (demo !== null) {
      const owner = await signIn(url, demo.owner);
      const key = await readOutboxKey(dataDir);
      return { url, port, tls: false, owner, outbox: () => readOutbox(url, key) };
    }
    if (services.exitCode !== null || services.signalCode !== null || Date.now() > deadlineMs) {
      const words = (await readFile(logFile, "utf8")).trim().split("\n").slice(-5).join("\n  ");
      throw new Error(`the services did not become ready. Their last words:\n  ${words}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function readOutbox(url: string, key: string): Promise<readonly SentMessage[]> {
  const answer = await fetch(`${url}/v1/outbox?limit=100`, { headers: { authorization: `Bearer ${key}` } });
  if (!answer.ok) throw new Error(`the outbox answered ${answer.status}`);
  return ((await answer.json()) as { messages: SentMessage[] }).messages;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}
