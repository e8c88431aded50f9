import { randomBytes, scryptSync } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  authenticate,
  closeSession,
  composeMail,
  mailQueue,
  type ServiceErrorCode,
  signIn,
  signUp,
  verifyEmail,
} from "@portcullis/contracts";
import { openEmbedded, type Platform } from "@portcullis/platform";
import { createCloser, createHealth, createLogger } from "@portcullis/runtime";
import { expect } from "vitest";
import { createHooks } from "../../../../libs/platform/test/support/hooks.ts";
import type { Passwords } from "../../src/accounts/passwords.ts";
import { type IdentityConfig, run } from "../../src/run.ts";
import { type FakeFactors, serveFactors } from "./factors.ts";
import { type FakeKeys, serveKeys } from "./keys.ts";

/** Of a list. */
export const firstPage = { after: null, limit: 200 };

export const goodPassword = "seven horses under water";

export interface WorldOptions {
  readonly config?: Partial<IdentityConfig>;
  /** Default one. */
  readonly replicas?: number;
  /** Default: in memory. */
  readonly dataDir?: string;
  readonly passwords?: Passwords;
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** The real service, one or more replicas on one store; the others are played by the test. */
export async function startWorld(options: WorldOptions = {}) {
  let nowMs = 1_795_000_000_000;
  const clock = () => nowMs;
  const logged: string[] = [];
  const log = createLogger({
    service: "test",
    level: "debug",
    destination: { write: (line) => void logged.push(line) },
  });
  const closer = createCloser((name, error) => log.error(`${name} did not stop cleanly`, {}, error));
  const embedded = await openEmbedded({
    dataDir: options.dataDir ?? null,
    log,
    health: createHealth(),
    closer,
    clock,
  });
  const factors: FakeFactors = await serveFactors(embedded.platformFor("factors"));
  const keys: FakeKeys = await serveKeys(embedded.platformFor("keys"));
  const passwords = options.passwords ?? cheapPasswords();
  const config = { signUp: "open", bootstrapToken: null, publicUrl: "https://p.example/", ...options.config } as const;

  const wrapped = createHooks();
  const platforms: Platform[] = [];
  const bootstrapTokens: (string | null)[] = [];
  for (let replica = 0; replica < (options.replicas ?? 1); replica += 1) {
    const platform = embedded.platformFor("identity");
    platforms.push(platform);
    const hooked = {
      ...platform,
      documents: wrapped.documents(platform.documents, replica),
      state: wrapped.state(platform.state, replica),
    };
    bootstrapTokens.push((await run(hooked, config, { passwords })).bootstrapToken);
  }
  const platform = platforms[0];
  if (platform === undefined) throw new Error("no replica");

  const api = embedded.platformFor("api");
  const edge = embedded.platformFor("edge");
  const notify = embedded.platformFor("notify");
  const closed: { readonly sid: string; readonly frame: string | null; readonly closeCode: number }[] = [];
  await edge.server.on(closeSession, ({ sid, frame, closeCode }) => {
    closed.push({ sid, frame: frame === null ? null : Buffer.from(frame).toString(), closeCode });
  });
  const jobs: Record<string, unknown>[] = [];
  const mails: { readonly to: string; readonly subject: string; readonly text: string }[] = [];
  await notify.jobs.work(mailQueue.name, async (job) => {
    jobs.push(job.data);
    const { mail } = await notify.caller.call(composeMail, { mailId: String(job.data.mailId) });
    if (mail !== null) mails.push(mail);
  });

  const world = {
    embedded,
    /** Of the first replica; past the hooks. */
    platform,
    ...wrapped.hooks,
    bootstrapTokens,
    api: api.caller,
    edge: edge.caller,
    notify: notify.caller,
    factorsCaller: embedded.platformFor("factors").caller,
    factorsServer: embedded.platformFor("factors").server,
    keysCaller: embedded.platformFor("keys").caller,
    factors,
    keys,
    /** What the edges were told to close. */
    closed,
    jobs,
    mails,
    logged,
    now: clock,
    advance(ms: number) {
      nowMs += ms;
    },
    /** The token in the newest mail about this to this address, of those that came after the first so many. */
    async mailed(subject: RegExp, to: string, after = 0): Promise<string> {
      let token = "";
      await expect
        .poll(
          () => {
            const mail = mails.slice(after).findLast((each) => each.to === to && subject.test(each.subject));
            token = /^ {2}(\S+\.\S+)$/m.exec(mail?.text ?? "")?.[1] ?? "";
            return token;
          },
          { interval: 5 },
        )
        .not.toBe("");
      return token;
    },
    /** An account that is signed in. */
    async owner(email = `${randomBytes(6).toString("hex")}@example.com`, password = goodPassword) {
      await api.caller.call(signUp, {
        email,
        password,
        bootstrapToken: null,
        invitationToken: null,
        address: address(),
      });
      const session = await api.caller.call(signIn, {
        email,
        password,
        secondFactor: null,
        address: address(),
        userAgent: "test",
      });
      const found = await ownerOf(session.secret);
      return { ...session, email, password, ownerId: found.ownerId };
    },
    /** The same, with an address that is confirmed: only then may there be a second factor. */
    async verifiedOwner(email?: string) {
      const owner = await world.owner(email);
      const token = await world.mailed(/Confirm/, owner.email);
      await api.caller.call(verifyEmail, { ownerId: owner.ownerId, token });
      return owner;
    },
    async close() {
      await closer.close();
    },
  };
  async function ownerOf(secret: string) {
    return api.caller.call(authenticate, { kind: "session", secret });
  }
  return world;
}

/** Of a network of its own, so that nobody else's limits are in the way. */
export function address(): string {
  return `10.${[...randomBytes(3)].join(".")}`;
}

/** As slow hashes are, but fast: salted, and of the password alone. */
export function cheapPasswords(): Passwords {
  const hash = (password: string, salt: string) =>
    `cheap$${salt}$${scryptSync(password, salt, 16, { N: 2 }).toString("hex")}`;
  return {
    hash: async (password) => hash(password, randomBytes(8).toString("hex")),
    matches: async (stored, password) => stored !== null && stored === hash(password, stored.split("$")[1] ?? ""),
  };
}

/** Why a call was refused; null where it was not. */
export async function refusal(
  call: Promise<unknown>,
): Promise<{ readonly code: ServiceErrorCode; readonly issues: readonly unknown[] } | null> {
  try {
    await call;
    return null;
  } catch (error) {
    const { code, issues } = error as { readonly code: ServiceErrorCode; readonly issues: readonly unknown[] };
    return { code, issues };
  }
}

/** The code alone. */
export async function codeOf(call: Promise<unknown>): Promise<ServiceErrorCode | null> {
  return (await refusal(call))?.code ?? null;
}

/** A folder on disk that goes with the test, and everything that was written there. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "portcullis-identity-"));
  return {
    path,
    async bytes(): Promise<Buffer> {
      const files = ["portcullis.sqlite", "portcullis.sqlite-wal"].map((name) => readFile(join(path, name)));
      return Buffer.concat(
        (await Promise.allSettled(files)).map((read) => (read.status === "fulfilled" ? read.value : Buffer.alloc(0))),
      );
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
