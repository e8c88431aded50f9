import {
  createCaller,
  createServer,
  createServiceSeal,
  generateServiceKeyPair,
  type SealDirectory,
} from "@portcullis/bus";
import { memoryBusNetwork } from "@portcullis/bus/memory";
import {
  type Caller,
  contracts,
  type RequestContract,
  ServiceError,
  type ServiceErrorCode,
  type ServiceName,
  services,
} from "@portcullis/contracts";
import {
  createCloser,
  createHealth,
  createIds,
  createLogger,
  type Environment,
  readConfig,
  systemRandom,
} from "@portcullis/runtime";
import { apiConfig, run } from "../src/run.ts";

export const sessionSecret = "pcs_0123456789abcdef0123456789abcdef";
export const tokenSecret = "pct_0123456789abcdef0123456789abcdef";
export const owner = { ownerId: "own_1", email: "ann@example.com", emailVerified: true, secondFactor: false };

export interface Asked {
  readonly name: string;
  readonly body: unknown;
}

export type Answer = object | ServiceErrorCode | ((body: unknown) => object);

export interface TestApi {
  readonly url: string;
  readonly server: Awaited<ReturnType<typeof run>>["server"];
  /** What the other services were asked, `authenticate` left out. */
  readonly asked: Asked[];
  readonly authentications: unknown[];
  /** By contract name. */
  readonly answers: Record<string, Answer>;
  readonly logLines: string[];
  /** A request of a page of ours that is signed in. */
  signedIn(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  close(): Promise<void>;
}

const keyPairs = Object.fromEntries(services.map((name) => [name, generateServiceKeyPair()]));
const directory = Object.fromEntries(services.map((name) => [name, keyPairs[name]?.publicKey ?? ""])) as SealDirectory;

function authenticated(body: unknown): Caller {
  const { kind, secret } = body as { kind: "session" | "token"; secret: string };
  if (secret === sessionSecret || secret === tokenSecret) return { ...owner, credential: { kind, id: `${kind}_1` } };
  throw new ServiceError("unauthenticated");
}

/** The API with a bus on which the others are played by `answers`. */
export async function startApi(environment: Environment = {}): Promise<TestApi> {
  const network = memoryBusNetwork();
  const asked: Asked[] = [];
  const authentications: unknown[] = [];
  const answers: Record<string, Answer> = {};
  const logLines: string[] = [];
  const log = createLogger({
    service: "api",
    level: "debug",
    destination: { write: (line) => void logLines.push(line) },
  });
  const closer = createCloser(() => undefined);
  const ids = createIds();

  const connect = (self: ServiceName) => {
    const bus = network.connect({ onError: () => undefined });
    const seal = createServiceSeal({ self, privateKey: keyPairs[self]?.privateKey ?? "", directory });
    closer.add(`bus of ${self}`, () => bus.close());
    return { bus, self, seal };
  };
  const played = contracts.filter(
    (contract): contract is RequestContract<never, unknown> =>
      contract.kind === "request" && contract.callers.includes("api"),
  );
  for (const self of ["identity", "keys", "factors", "notify"] as const) {
    const silent = { error: () => undefined, warn: () => undefined };
    const server = createServer({ ...connect(self), claim: async () => true, log: silent });
    for (const contract of played.filter((one) => one.server === self)) {
      await server.serve<unknown, unknown>(contract as unknown as RequestContract<unknown, unknown>, (body) => {
        if (contract.name === "identity.accounts.authenticate") {
          authentications.push(body);
          return authenticated(body);
        }
        asked.push({ name: contract.name, body });
        const answer = answers[contract.name];
        if (answer === undefined) throw new ServiceError("not_found");
        if (typeof answer === "string") throw new ServiceError(answer);
        return typeof answer === "function" ? answer(body) : answer;
      });
    }
  }

  const caller = createCaller({ ...connect("api"), clock: Date.now, ids: () => ids.id() });
  const config = readConfig(apiConfig, { PORT: "0", ...environment });
  const { server, address } = await run(
    { caller, closer, health: createHealth(), ids, log, random: systemRandom },
    config,
  );

  return {
    url: address,
    server,
    asked,
    authentications,
    answers,
    logLines,
    signedIn: (method, path, body, headers = {}) =>
      fetch(`${address}${path}`, {
        method,
        redirect: "manual",
        headers: {
          cookie: `__Host-portcullis=${sessionSecret}`,
          "sec-fetch-site": "same-origin",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    close: () => closer.close(),
  };
}
