import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { serverArguments } from "./arguments.ts";
import { findProgram } from "./binaries.ts";
import { assertServedByContainers } from "./containers.ts";
import { callDocker, type Daemon, findDaemon } from "./docker-api.ts";
import { startEngines } from "./engines.ts";
import { isAtLeast } from "./go.ts";
import { standInImages } from "./stand-in-images.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** A daemon that answers each path with a status and lines of JSON, and remembers what it was asked. */
async function startDaemon(answers: Readonly<Record<string, readonly [status: number, text: string]>>) {
  const folder = mkdtempSync(join(tmpdir(), "portcullis-docker-"));
  const socketPath = join(folder, "docker.sock");
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const [status, text] = answers[request.url?.split("?", 1)[0] ?? ""] ?? [404, '{"message":"no such thing"}'];
    response.writeHead(status).end(text);
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  closing.push(
    () => rmSync(folder, { recursive: true }),
    () => new Promise((resolve) => server.close(resolve)),
  );
  const daemon: Daemon = { socketPath };
  return { daemon, socketPath, asked };
}

describe("Docker's API", () => {
  test("is found where DOCKER_HOST says, if somebody answers there", async () => {
    const { socketPath } = await startDaemon({ "/_ping": [200, "OK"] });
    expect(await findDaemon({ DOCKER_HOST: `unix://${socketPath}` })).toEqual({ socketPath });
    expect(await findDaemon({ DOCKER_HOST: `unix://${socketPath}.gone` })).toBeNull();
    expect(await findDaemon({ DOCKER_HOST: "tcp://127.0.0.1:1" })).toBeNull();
    const broken = await startDaemon({ "/_ping": [500, ""] });
    expect(await findDaemon({ DOCKER_HOST: `unix://${broken.socketPath}` })).toBeNull();
  });

  test("answers with its lines, or with what is wrong", async () => {
    const { daemon, asked } = await startDaemon({
      "/build": [200, '{"stream":"one"}\n{"stream":"two"}\n'],
      "/empty": [204, ""],
    });
    expect(await callDocker(daemon, "POST", "/build", [["t", "a b&c"]])).toEqual([
      { stream: "one" },
      { stream: "two" },
    ]);
    expect(asked).toEqual(["POST /build?t=a+b%26c"]);
    expect(await callDocker(daemon, "GET", "/empty", [])).toEqual([]);
    await expect(callDocker(daemon, "GET", "/missing", [])).rejects.toThrow("Docker /missing: 404");
  });
});

describe("the check that engines are in containers", () => {
  const environment = {
    NATS_URL: "nats://127.0.0.1:4001",
    REDIS_URL: "redis://127.0.0.1:4002",
    MONGODB_URL: "mongodb://127.0.0.1:4003",
  };
  const ofAnotherImage = "docker.io/library/debian:12";
  const running = (overrides: Readonly<Record<number, { Image?: string; Command?: string } | null>> = {}) =>
    [4001, 4002, 4003].flatMap((port, index) => {
      const change = overrides[port];
      if (change === null) return [];
      return [{ Image: standInImages[index] ?? "", Command: `server --port ${port} --more`, ...change }];
    });
  const check = async (containers: unknown) => {
    const { daemon } = await startDaemon({ "/containers/json": [200, JSON.stringify(containers)] });
    return assertServedByContainers(daemon, environment);
  };

  test("passes where each is one of a stand-in image, on its port", async () => {
    await check(running());
  });

  test.each<[string, ReturnType<typeof running>, RegExp]>([
    ["there are none", [], /NATS_URL .* is served by no container/],
    ["one is missing", running({ 4002: null }), /REDIS_URL/],
    ["one listens elsewhere", running({ 4003: { Command: "server --port 40030" } }), /MONGODB_URL/],
    ["one is of another image", running({ 4001: { Image: ofAnotherImage } }), /NATS_URL/],
  ])("fails where %s", async (_, containers, message) => {
    await expect(check(containers)).rejects.toThrow(message);
  });

  test("fails where an engine has no URL", async () => {
    const { daemon } = await startDaemon({ "/containers/json": [200, JSON.stringify(running())] });
    await expect(assertServedByContainers(daemon, { ...environment, REDIS_URL: "" })).rejects.toThrow();
  });
});

describe("what is started", () => {
  test.each([
    ["go1.24.11", "1.24", true],
    ["go1.24", "1.24.0", true],
    ["go1.25rc1", "1.24", true],
    ["go2.0", "1.24", true],
    ["go1.19.8", "1.24", false],
    ["go1.9", "1.24", false],
    ["devel", "1.24", false],
  ])("is a Go that is new enough: %s for %s is %s", (version, needed, expected) => {
    expect(isAtLeast(version, needed)).toBe(expected);
  });

  test("listens where it is told, and Redis keeps what it acknowledged", () => {
    const listen = { address: "127.0.0.1", port: 4001, folder: "/data" };
    expect(serverArguments("nats", listen)).toEqual(["--addr", "127.0.0.1", "--port", "4001"]);
    expect(serverArguments("nats", { ...listen, natsConfig: "/n.conf" })).toContain("/n.conf");
    expect(serverArguments("mongodb", listen)).toEqual([
      ...["--bind_ip", "127.0.0.1", "--port", "4001"],
      ...["--dbpath", "/data"],
    ]);
    expect(serverArguments("redis", listen).join(" ")).toMatch(
      /--bind 127\.0\.0\.1 --port 4001 .*--dir \/data.*--appendonly yes --appendfsync always --maxmemory-policy noeviction/,
    );
  });
});

test.runIf(findProgram("nats-server", process.env))(
  "a server finds a configuration that is named from here",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "portcullis-nats-config-"));
    closing.push(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, "nats.conf"), "max_connections: 10\n");
    const { natsUrl, missing, stop } = await startEngines({
      want: ["nats"],
      log: () => {},
      natsConfig: relative(process.cwd(), join(folder, "nats.conf")),
      env: { PATH: process.env.PATH, DOCKER_HOST: "none" },
    });
    closing.push(stop);
    expect({ natsUrl, missing }).toEqual({ natsUrl: expect.stringMatching(/^nats:/), missing: [] });
  },
);
