import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  handshakeOpen,
  handshakeRecord,
  identityOpen,
  identityStep,
  type KeyRole,
  type LiveSessionView,
  liveSessionKey,
  mintAppKey,
  type Outcome,
  recordIdentity,
  ServiceError,
  type ServiceErrorCode,
  type Step,
  serverBundle,
  sessionAbandoned,
} from "@portcullis/contracts";
import { openEmbedded, type Platform } from "@portcullis/platform";
import { createCloser, createHealth, createLogger } from "@portcullis/runtime";
import type { z } from "zod";
import { createHooks } from "../../../../libs/platform/test/support/hooks.ts";
import { run } from "../../src/run.ts";
import { type ClientOptions, clientOf, type OpenRequest } from "./client.ts";

type Opening = z.infer<(typeof identityOpen)["request"]>;
type Taking = z.infer<(typeof identityStep)["request"]>;

/** In the place of `identity`: decides as it is told, once for each handshake and step. */
export interface FakeIdentity {
  readonly opened: Opening[];
  readonly taken: Taking[];
  onOpen: (request: Opening) => Promise<Outcome> | Outcome;
  onStep: (request: Taking) => Promise<Outcome> | Outcome;
  /** What was to go into the book of a socket before it is in the directory. */
  readonly recorded: z.infer<(typeof recordIdentity)["request"]>[];
  onRecord: () => Promise<void> | void;
  /** Sessions that must not be. */
  readonly abandoned: string[];
}

export const bare: Outcome = { say: "denied", retryAfterMs: null, sealed: false };
export const denied: Outcome = { say: "denied", retryAfterMs: null, sealed: true };
export const bareText = '{"t":"denied","code":"denied"}';

export function challenge(deadlineMs: number): Outcome {
  return {
    say: "challenge",
    cid: randomBytes(16).toString("base64url"),
    options: [{ at: "1", gate: "otp", prompt: null }],
    attemptsLeft: 3,
    answerByMs: deadlineMs,
    retry: false,
    deadlineMs,
  };
}

export function accepted(expiresAtMs: number, socketId = "socket-1"): Extract<Outcome, { say: "accepted" }> {
  return {
    say: "accepted",
    admitted: {
      sid: randomBytes(16).toString("base64url"),
      socketId,
      member: "bob",
      memberProven: true,
      expiresAtMs,
      maxBytes: 65_536,
      perSecond: 50,
      sealed: false,
      endToEnd: "off",
      placed: false,
      relayed: false,
      role: "member",
      mode: "broadcast",
      epoch: null,
      next: 0,
      resumeMs: 60_000,
      stepUp: null,
    },
    history: null,
    gates: ["key", "otp"],
    assurance: { key: true, memberBound: true, gates: ["otp"] },
    policyHash: new Uint8Array(32).fill(7),
  };
}

/** What `identity` keeps of a live session, as far as it is read here. */
export function liveEntry(view: LiveSessionView = { holdAtMs: null, classes: {} }): Uint8Array {
  return Buffer.from(JSON.stringify({ view }));
}

export interface WorldOptions {
  /** Default two. */
  readonly replicas?: number;
  readonly dataDir?: string;
  readonly tickEveryMs?: number;
}

export type World = Awaited<ReturnType<typeof startWorld>>;

/** The real service, two replicas on one store; edge and identity are played by the test. */
export async function startWorld({ replicas = 2, dataDir, tickEveryMs = 15_000 }: WorldOptions = {}) {
  let nowMs = 1_795_000_000_000;
  const clock = () => nowMs;
  const logged: string[] = [];
  const log = createLogger({
    service: "test",
    level: "debug",
    destination: { write: (line) => void logged.push(line) },
  });
  const closer = createCloser((name, error) => log.error(`${name} did not stop cleanly`, {}, error));
  const health = createHealth();
  const embedded = await openEmbedded({ dataDir: dataDir ?? null, log, health, closer, clock });
  const identity: FakeIdentity = {
    opened: [],
    taken: [],
    onOpen: () => challenge(nowMs + 120_000),
    onStep: () => accepted(nowMs + 3_600_000),
    recorded: [],
    onRecord: () => {},
    abandoned: [],
  };
  const other = embedded.platformFor("identity");
  /** As `identity` does: a session is live while its entry is there. */
  const registered = async (outcome: Outcome): Promise<Outcome> => {
    if (outcome.say === "accepted")
      await other.state.create(liveSessionKey(outcome.admitted.sid), liveEntry(), 86_400_000);
    return outcome;
  };
  const decided = new Map<string, Promise<Outcome>>();
  const once = (name: string, decide: () => Promise<Outcome> | Outcome): Promise<Outcome> => {
    const outcome = decided.get(name) ?? Promise.resolve().then(decide).then(registered);
    decided.set(name, outcome);
    outcome.catch(() => decided.delete(name));
    return outcome;
  };
  await other.server.serve(identityOpen, (body) => {
    const first = identity.opened.find(({ hid }) => hid === body.hid);
    identity.opened.push(body);
    if (first !== undefined && first.opening !== body.opening) throw new ServiceError("conflict");
    return once(body.hid, () => identity.onOpen(body));
  });
  await other.server.serve(identityStep, (body) => {
    identity.taken.push(body);
    return once(`${body.hid} ${body.n} ${JSON.stringify(body.action)}`, () => identity.onStep(body));
  });
  await other.server.serve(recordIdentity, async (body) => {
    identity.recorded.push(body);
    await identity.onRecord();
    return {};
  });
  await other.server.on(sessionAbandoned, ({ sid }) => void identity.abandoned.push(sid));

  const edge = embedded.platformFor("edge").caller;
  const wrapped = createHooks();
  const platforms: Platform[] = [];
  const start = async () => {
    const platform = embedded.platformFor("keys");
    const replica = platforms.push(platform) - 1;
    const { documents, state } = platform;
    await run(
      Object.create(platform, {
        documents: { value: wrapped.documents(documents, replica) },
        state: { value: wrapped.state(state, replica) },
      }),
      { tickEveryMs },
    );
    return platform;
  };
  await Promise.all(Array.from({ length: replicas }, start));
  return {
    ...wrapped.hooks,
    embedded,
    platforms,
    start,
    get platform(): Platform {
      const [first] = platforms;
      if (first === undefined) throw new Error("no replica");
      return first;
    },
    identity,
    /** As `identity` does before it lets somebody in. */
    register: registered,
    asIdentity: other.caller,
    edge,
    logged,
    now: clock,
    advance(ms: number) {
      nowMs += ms;
    },
    async mint(socketId = "socket-1", role: KeyRole = "member") {
      return other.caller.call(mintAppKey, { socketId, label: "key", role });
    },
    bundle: () => edge.call(serverBundle, {}),
    /** A client with a box for this replica's bundle. */
    async client(options: Omit<ClientOptions, "nowMs">) {
      const given = await edge.call(serverBundle, {});
      return { ...(await clientOf(given, { ...options, nowMs })), route: given.replica };
    },
    open(route: string, request: OpenRequest): Promise<Step> {
      return edge.call(handshakeOpen, request, { route });
    },
    record: (hid: string, record: Uint8Array): Promise<Step> => edge.call(handshakeRecord, { hid, record }),
    close: () => closer.close(),
  };
}

export async function codeOf(call: Promise<unknown>): Promise<ServiceErrorCode | null> {
  try {
    await call;
    return null;
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
}

export function textOf(step: Step): string {
  const [frame, ...more] = step.frames;
  if (frame?.kind !== "text" || more.length > 0) throw new Error("not one text frame");
  return Buffer.from(frame.data).toString();
}

export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "portcullis-keys-"));
  return {
    path,
    async bytes(): Promise<Buffer> {
      const reads = ["portcullis.sqlite", "portcullis.sqlite-wal"].map((name) => readFile(join(path, name)));
      const files = await Promise.allSettled(reads);
      return Buffer.concat(files.map((read) => (read.status === "fulfilled" ? read.value : Buffer.alloc(0))));
    },
    remove: () => rm(path, { recursive: true, force: true }),
  };
}
