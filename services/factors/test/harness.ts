import { randomBytes } from "node:crypto";
import { type Caller, createCaller, createServer, createServiceSeal, generateServiceKeyPair } from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import {
  type AuthenticatorSubject,
  enrolSecret,
  type ServiceName,
  services,
  verifyFactors,
} from "@portcullis/contracts";
import type { Documents } from "@portcullis/documents";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openEmbeddedJobs } from "@portcullis/jobs/embedded";
import { claimIn, type Platform } from "@portcullis/platform";
import {
  createCloser,
  createHealth,
  createIds,
  createLogger,
  createVault,
  fixedKeys,
  systemRandom,
} from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { generate } from "otplib";
import { type FactorsConfig, run } from "../src/run.ts";

const startMs = 1_795_000_005_000;

export interface FactorsOptions {
  /** Default `:memory:`. */
  readonly file?: string;
  readonly masterKey?: Uint8Array;
  readonly failuresMax?: number;
  readonly config?: Partial<FactorsConfig>;
}

export type Factors = Awaited<ReturnType<typeof startFactors>>;

/** Two replicas of the service on one store, and `identity`'s end of the bus, all real but the clock. */
export async function startFactors(options: FactorsOptions = {}) {
  const { file = ":memory:", masterKey = systemRandom(32), failuresMax = 100 } = options;
  let nowMs = startMs;
  const clock = () => nowMs;
  let storesAheadMs = 0;
  const storesClock = () => nowMs + storesAheadMs;
  const logged: string[] = [];
  const onBus: Uint8Array[] = [];
  const calls: string[] = [];

  const network = memoryBusNetwork();
  network.tap(({ message }) => void onBus.push(message.data));
  const keys = services.map((name) => [name, generateServiceKeyPair()] as const);
  const directory = Object.fromEntries(keys.map(([name, { publicKey }]) => [name, publicKey])) as Record<
    ServiceName,
    string
  >;
  const ids = createIds();
  const wiring = (self: ServiceName, name: string) => {
    const privateKey = keys.find(([service]) => service === self)?.[1].privateKey ?? "";
    return {
      bus: network.connect({ name, onError: () => undefined }),
      self,
      seal: createServiceSeal({ self, privateKey, directory }),
      clock,
      ids: () => ids.id(),
    };
  };

  const documents = watched("documents", openEmbeddedDocuments({ file, clock: storesClock }), calls);
  const state = watched("state", openEmbeddedState({ file, clock: storesClock }), calls);
  const jobs = openEmbeddedJobs({ file: ":memory:", clock, pollMs: 20 });
  for (const instance of ["a", "b"]) {
    const parts = wiring("factors", `factors-${instance}`);
    const log = createLogger({ service: "factors", destination: { write: (line) => void logged.push(line) } });
    const platform: Platform = {
      service: "factors",
      instance,
      clock,
      ids,
      random: systemRandom,
      log,
      health: createHealth(),
      closer: createCloser(() => undefined),
      caller: createCaller(parts),
      server: createServer({ ...parts, claim: claimIn(state, "factors"), log }),
      documents,
      state,
      jobs,
      vault: createVault(fixedKeys(masterKey, "factors")),
    };
    await run(platform, {
      failuresMax,
      publicUrl: "https://p.example",
      smsPerSocketDay: 500,
      emailsPerSocketDay: 5000,
      callsPerSocketDay: 100,
      webhooksPerSocketDay: 20_000,
      webhooksPerSocketMinute: 120,
      outboundAllow: [{ to: "127.0.0.1", http: true }],
      ...options.config,
    });
  }
  const identity: Caller = createCaller(wiring("identity", "identity"));

  return {
    identity,
    documents,
    state,
    jobs,
    logged,
    /** The ends of the bus of others, for contracts that they call or serve. */
    as: (service: ServiceName) => {
      const parts = wiring(service, `${service}-${ids.id()}`);
      const log = createLogger({ service, destination: { write: (line) => void logged.push(line) } });
      return { caller: createCaller(parts), server: createServer({ ...parts, claim: async () => true, log }) };
    },
    onBus,
    /** Names of the store operations so far, in order. */
    calls,
    now: clock,
    advance(ms: number) {
      nowMs += ms;
    },
    /** The service's clock alone: a store, which tells expiry by its own, goes on. */
    setBack(ms: number) {
      nowMs -= ms;
      storesAheadMs += ms;
    },
    async enrol(subject: AuthenticatorSubject, active = true): Promise<Authenticator> {
      const { uri } = await identity.call(enrolSecret, { subject, issuer: "Portcullis", account: "test", active });
      return phone(uri, clock);
    },
    /** One otp answer in a handshake of its own, unless told otherwise. */
    async verify(answer: OtpAnswer) {
      const { hid = freshHid(), ref = "r1", of = "member", memberId = null, socketId = "s1", value } = answer;
      const config = "config" in answer ? answer.config : { of };
      const items = [{ ref, gate: "otp", config: config ?? {}, value, waitId: null }];
      const { results } = await identity.call(verifyFactors, { ...anywhere, hid, socketId, memberId, items });
      return results[0] ?? null;
    },
    async stop() {
      await jobs.close();
      await state.close();
      await documents.close();
    },
  };
}

interface OtpAnswer {
  readonly value: string;
  readonly hid?: string;
  readonly ref?: string;
  readonly of?: "member" | "socket";
  readonly memberId?: string | null;
  readonly socketId?: string;
  readonly config?: Record<string, unknown>;
}

export interface Authenticator {
  readonly uri: string;
  readonly secret: string;
  /** The code now, or so many steps from now. */
  code(steps?: number): Promise<string>;
  /** Six digits that are no code of the steps around now. */
  wrong(): Promise<string>;
}

/** What an app makes of the QR code, on its own. */
export function phone(uri: string, clock: () => number): Authenticator {
  const secret = new URL(uri).searchParams.get("secret") ?? "";
  const code = (steps = 0) => generate({ secret, epoch: Math.floor(clock() / 1_000) + 30 * steps });
  return {
    uri,
    secret,
    code,
    async wrong() {
      const right = await Promise.all([-2, -1, 0, 1, 2].map(code));
      return ["000000", "111111", "222222", "333333", "444444", "555555"].find((each) => !right.includes(each)) ?? "";
    },
  };
}

/** Where it does not matter on which connection, and to which challenge, something is answered. */
export const anywhere = { network: "n1", transcript: new Uint8Array(32), cid: null };

export function freshHid(): string {
  return `edge1.${randomBytes(16).toString("base64url")}`;
}

export function bob(socketId = "s1"): AuthenticatorSubject {
  return { of: "member", socketId, member: "bob" };
}

/** The same port, and each operation on it noted; collections too. */
function watched<T extends State | Documents>(name: string, port: T, calls: string[]): T {
  const wrap = <O extends object>(object: O): O =>
    new Proxy(object, {
      get(target, key) {
        const member: unknown = Reflect.get(target, key);
        if (typeof member !== "function") return member;
        return (...input: unknown[]) => {
          const result: unknown = member.apply(target, input);
          if (key === "collection") return (result as Promise<object>).then(wrap);
          calls.push(`${name}.${String(key)}`);
          return result;
        };
      },
    });
  return wrap(port);
}
