import { createServer, type Server, type Socket } from "node:net";
import { generateServiceKeyPair } from "@portcullis/bus";
import { type ServiceName, services } from "@portcullis/contracts";
import { createCloser, createHealth, createLogger, readConfig, StartupError } from "@portcullis/runtime";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDistributed } from "../src/distributed.ts";
import { distributedConfig } from "../src/mod.ts";

const pairs = services.map((name) => [name, generateServiceKeyPair()] as const);
const directory = pairs.map(([name, { publicKey }]) => `${name}=${publicKey}`).join(",");
const sealKey = (service: ServiceName) => pairs.find(([name]) => name === service)?.[1].privateKey ?? "";

let logged: string[];
let abort: AbortController;
let closer: ReturnType<typeof createCloser>;
let health: ReturnType<typeof createHealth>;
const servers: Server[] = [];
const sockets = new Set<Socket>();
beforeEach(() => {
  logged = [];
  abort = new AbortController();
  closer = createCloser(() => undefined);
  health = createHealth({ cacheMs: 0 });
});
afterEach(async () => {
  abort.abort();
  await closer.close();
  for (const socket of sockets) socket.destroy();
  for (const server of servers.splice(0)) server.close();
});

function open(service: ServiceName, environment: Record<string, string>) {
  const config = readConfig(distributedConfig, {
    NATS_PASSWORD: "planted-password",
    SEAL_KEY: sealKey(service),
    SEAL_DIRECTORY: directory,
    ...environment,
  });
  const log = createLogger({ service, destination: { write: (line) => void logged.push(line) } });
  return openDistributed({ service, instance: `${service}-1`, config, log, health, closer, signal: abort.signal });
}

/** As much of a NATS server as a client needs to be there. @param refusal what it says to whoever signs in. */
async function natsServer(port = 0, refusal: string | null = null): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.write(
      `INFO ${JSON.stringify({ server_id: "S", version: "2.9.0", proto: 1, headers: true, max_payload: 1048576 })}\r\n`,
    );
    socket.on("data", (data) => {
      const text = data.toString();
      if (text.includes("CONNECT") && refusal !== null) socket.write(`-ERR '${refusal}'\r\n`);
      else for (const _ of text.match(/PING\r\n/g) ?? []) socket.write("PONG\r\n");
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** A port where nobody answers. */
async function closedPort(): Promise<number> {
  const port = await natsServer();
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return port;
}

const failing = async () => {
  const { body } = await health.report();
  return body.status === "unavailable" ? body.failing : body.status;
};

describe("a process whose engines are missing", () => {
  it("names all of them as missing from the start, says what it waits for, and ends its wait when it is told", async () => {
    const port = await closedPort();
    const opening = open("notify", { REDIS_URL: `redis://127.0.0.1:${port}`, NATS_URL: `nats://127.0.0.1:${port}` });
    expect(await failing()).toEqual(["redis jobs", "nats"]);
    await expect.poll(() => logged.join("")).toMatch(/waiting for redis jobs: connection refused; next try in/);
    abort.abort(new Error("stopping"));
    await expect(opening).rejects.toThrow();
    expect(logged.join("")).not.toContain("planted-password");
  });

  it("goes on by itself when the engine comes, and is then ready", async () => {
    const port = await closedPort();
    const opening = open("edge", { NATS_URL: `nats://127.0.0.1:${port}` });
    await expect.poll(() => logged.join("")).toContain("waiting for nats");
    expect(await failing()).toEqual(["nats"]);
    await natsServer(port);
    const platform = await opening;
    expect(platform).toMatchObject({ service: "edge", instance: "edge-1" });
    expect(() => platform.documents).toThrow(TypeError);
    expect(await failing()).toBe("ok");
    expect(logged.join("")).toContain("nats is there");
  });
});

describe("what waiting cannot help", () => {
  it("ends the start with one line: an engine that refuses the password", async () => {
    const port = await natsServer(0, "Authorization Violation");
    const opening = open("edge", { NATS_URL: `nats://127.0.0.1:${port}` });
    await expect(opening).rejects.toThrow(StartupError);
    await expect(opening).rejects.toThrow("NATS refuses the user edge: check NATS_PASSWORD");
  });

  it.each([
    [
      "a seal key that is not the directory's",
      { SEAL_KEY: generateServiceKeyPair().privateKey },
      /SEAL_KEY and SEAL_DIRECTORY/,
    ],
    ["no master key", {}, /MASTER_KEY: needed where KMS is local, and not set/],
  ])("is said before anything is waited for: %s", async (_, environment, line) => {
    const opening = open("keys", environment);
    await expect(opening).rejects.toThrow(StartupError);
    await expect(opening).rejects.toThrow(line);
    expect(logged).toEqual([]);
    expect(await failing()).toBe("ok");
  });
});
