import { once } from "node:events";
import { type AddressInfo, connect, type Socket } from "node:net";
import { ConfigError, readConfig } from "@portcullis/runtime";
import { afterEach, describe, expect, test } from "vitest";
import { apiConfig } from "../src/run.ts";
import { startApi, type TestApi } from "./api.ts";

const running: TestApi[] = [];
async function start(environment: Record<string, string> = {}): Promise<TestApi> {
  const api = await startApi(environment);
  running.push(api);
  return api;
}
const opened: Socket[] = [];
afterEach(async () => {
  for (const socket of opened.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((api) => api.close()));
});

async function open(api: TestApi, localAddress = "127.0.0.1"): Promise<Socket> {
  const { port } = api.server.address() as AddressInfo;
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  opened.push(socket);
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
}

async function readAll(socket: Socket): Promise<string> {
  let text = "";
  socket.setEncoding("utf8");
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const upgrade = "GET /chat/secret HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

describe("upgrades", () => {
  test("are closed where no edge is attached, and disturb nobody", async () => {
    const api = await start();
    const socket = await open(api);
    socket.write(upgrade);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 404 [\s\S]*connection: close/);
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  });

  test("go to the edge alone where one is attached", async () => {
    const api = await start();
    api.server.on("upgrade", (_request, edgeSocket) =>
      edgeSocket.end("HTTP/1.1 101 Switching Protocols\r\n\r\nfrom the edge"),
    );
    const socket = await open(api);
    socket.write(upgrade);
    expect(await readAll(socket)).toBe("HTTP/1.1 101 Switching Protocols\r\n\r\nfrom the edge");
    expect((await fetch(`${api.url}/`)).status).toBe(200);
  });
});

describe("stopping", () => {
  test("takes less than 4 s whoever holds on: idle, half a request, an upgraded socket", async () => {
    const api = await start();
    api.server.on("upgrade", () => undefined);
    const idle = await open(api);
    idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const slow = await open(api);
    slow.write(
      "POST /v1/account HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{",
    );
    const upgraded = await open(api);
    upgraded.write(upgrade);
    await new Promise((resolve) => setTimeout(resolve, 100));

    const startedMs = performance.now();
    await api.close();
    expect(performance.now() - startedMs).toBeLessThan(4_000);
    for (const socket of [idle, slow, upgraded]) if (!socket.closed) await once(socket.resume(), "close");
  });

  test("is at once where connections are only kept alive", async () => {
    const api = await start();
    const idle = await open(api);
    idle.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await once(idle, "data");
    const startedMs = performance.now();
    await api.close();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  });

  test("finishes what runs", async () => {
    const api = await start();
    let release: (() => void) | undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    api.answers["keys.identity"] = (() => held.then(() => ({ fingerprint: "print" }))) as unknown as () => object;
    const answer = fetch(`${api.url}/v1/server`);
    await expect.poll(() => api.asked.length).toBe(1);
    const startedMs = performance.now();
    const closing = api.close();
    setTimeout(() => release?.(), 200);
    expect(await (await answer).json()).toMatchObject({ fingerprint: "print" });
    await closing;
    expect(performance.now() - startedMs).toBeLessThan(1_500);
  });
});

describe("connections that stay half-open", () => {
  const halfOpen = [
    "",
    "GET / HTTP/1.1\r\nHost: loc",
    "POST /v1/account HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
  ];

  test("keep nobody out: not other addresses, not /readyz, not even the address that they come from", async () => {
    const api = await start({ HTTP_CONNECTIONS_MAX: "50", HTTP_CONNECTIONS_PER_ADDRESS_MAX: "20" });
    const neighbour = await open(api, "127.0.0.3");
    neighbour.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    const flood: Socket[] = [];
    for (let n = 0; n < 200; n += 1) {
      const socket = await open(api);
      socket.write(halfOpen[n % 3] ?? "");
      flood.push(socket.resume());
    }
    await expect.poll(() => flood.filter((socket) => !socket.closed).length).toBeLessThanOrEqual(20);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
    const other = await open(api, "127.0.0.2");
    other.write("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    expect(await readAll(other)).toMatch(/^HTTP\/1\.1 200 /);
    // Who was slow before they came is still there.
    neighbour.write("Connection: close\r\n\r\n");
    expect(await readAll(neighbour)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test("of more addresses than there is room for still let others through", async () => {
    const api = await start({ HTTP_CONNECTIONS_MAX: "20" });
    for (let n = 0; n < 60; n += 1) (await open(api, `127.0.1.${n + 1}`)).write(halfOpen[n % 3] ?? "");
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
  });

  test("are counted for the visitor, not for the proxy that brings all of them", async () => {
    const api = await start({ HTTP_CONNECTIONS_PER_ADDRESS_MAX: "5", TRUSTED_PROXIES: "10.0.0.0/8,127.0.0.1" });
    const fromProxy = await Promise.all(Array.from({ length: 40 }, () => open(api)));
    const alone = await Promise.all(Array.from({ length: 40 }, () => open(api, "127.0.0.2")));
    await expect.poll(() => alone.filter((socket) => !socket.resume().closed).length).toBe(5);
    expect(fromProxy.filter((socket) => !socket.resume().closed)).toHaveLength(40);
  });

  test("are cut when their time is up, and so is who asks and does not read", async () => {
    const api = await start({ HTTP_HEADERS_TIMEOUT: "300ms", HTTP_REQUEST_TIMEOUT: "600ms" });
    const startedMs = performance.now();
    const [headers, body, reader] = [await open(api), await open(api), await open(api)];
    headers.write(halfOpen[1] ?? "");
    body.write(halfOpen[2] ?? "");
    // More than any buffer between holds.
    const { length } = await (await fetch(`${api.url}/docs/static/swagger-ui-bundle.js`)).text();
    expect(length).toBeGreaterThan(1_000_000);
    reader.pause();
    reader.write("GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(30));
    expect(await readAll(headers)).toMatch(/^HTTP\/1\.1 4|^$/);
    expect(await readAll(body)).toMatch(/^HTTP\/1\.1 4|^$/);
    expect(performance.now() - startedMs).toBeLessThan(3_000);
    const connections = () => new Promise<number>((resolve) => api.server.getConnections((_, count) => resolve(count)));
    await expect.poll(connections, { timeout: 5_000 }).toBeLessThanOrEqual(1);
  });
});

describe("requests per minute", () => {
  test("are counted by address over all routes, what is not there included, and probes are free", async () => {
    const api = await start({ RATE_LIMIT_PER_MINUTE: "3" });
    expect((await fetch(`${api.url}/v1/account`)).status).toBe(401);
    expect((await fetch(`${api.url}/nowhere`)).status).toBe(404);
    expect(
      (await fetch(`${api.url}/v1/account`, { headers: { authorization: "Bearer pct_wrongwrongwrongwrong" } })).status,
    ).toBe(401);
    for (const path of ["/v1/account", "/nowhere", "/"]) {
      const response = await fetch(`${api.url}${path}`);
      expect(response.status).toBe(429);
      expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(0);
      expect(await response.json()).toMatchObject({ code: "too_many" });
    }
    expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
    expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
  });

  test("cannot be escaped by inventing addresses where no proxy is trusted", async () => {
    const api = await start({ RATE_LIMIT_PER_MINUTE: "1" });
    expect((await fetch(`${api.url}/`, { headers: { "x-forwarded-for": "203.0.113.1" } })).status).toBe(200);
    expect((await fetch(`${api.url}/`, { headers: { "x-forwarded-for": "203.0.113.2" } })).status).toBe(429);
  });

  test("count the visitor where the proxy is trusted, and not what the visitor claims", async () => {
    const api = await start({ RATE_LIMIT_PER_MINUTE: "1", TRUSTED_PROXIES: "127.0.0.1" });
    const from = (addresses: string) => fetch(`${api.url}/`, { headers: { "x-forwarded-for": addresses } });
    expect((await from("203.0.113.1")).status).toBe(200);
    expect((await from("203.0.113.2")).status).toBe(200);
    expect((await from("198.51.100.7, 203.0.113.2")).status).toBe(429);
  });
});

describe("headers", () => {
  test("name the request by an id of ours, never by the caller's", async () => {
    const api = await start();
    const responses = await Promise.all(
      ["/", "/nowhere", "/v1/account"].map((path) =>
        fetch(`${api.url}${path}`, { headers: { "x-request-id": "mine" } }),
      ),
    );
    const ids = responses.map((response) => response.headers.get("x-request-id") ?? "");
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{22}$/);
    expect(new Set(ids).size).toBe(3);
  });

  test("promise https only where the server is reached over it", async () => {
    const plain = await start();
    const secure = await start({ PUBLIC_URL: "https://portcullis.example.com" });
    expect((await fetch(`${plain.url}/`)).headers.get("strict-transport-security")).toBeNull();
    expect((await fetch(`${secure.url}/`)).headers.get("strict-transport-security")).toContain("max-age=");
  });
});

describe("socket URLs", () => {
  const socket = {
    id: "s",
    label: "chat",
    path: "a/b~c",
    policy: {},
    idParameter: "id",
    role: "owner",
    authenticator: false,
    advice: [],
    createdAtMs: 0,
    updatedAtMs: 0,
    version: 1,
  };
  test.each<[Record<string, string>, string]>([
    [{ PUBLIC_URL: "https://portcullis.example.com" }, "wss://portcullis.example.com/chat/a/b~c"],
    [{ PUBLIC_URL: "http://127.0.0.1:9000/" }, "ws://127.0.0.1:9000/chat/a/b~c"],
    [
      { PUBLIC_URL: "https://api.example.com", SOCKETS_URL: "wss://sockets.example.com:444" },
      "wss://sockets.example.com:444/chat/a/b~c",
    ],
  ])("%j", async (environment, url) => {
    const api = await start(environment);
    api.answers["identity.sockets.get"] = socket;
    const headers = { authorization: "Bearer pct_0123456789abcdef0123456789abcdef" };
    expect(await (await fetch(`${api.url}/v1/sockets/s`, { headers })).json()).toMatchObject({ url });
  });
});

describe("settings", () => {
  test.each<[Record<string, string>, string]>([
    [{ PORT: "70000" }, "PORT"],
    [{ HOST: "localhost" }, "HOST"],
    [{ PUBLIC_URL: "https://example.com/path" }, "PUBLIC_URL"],
    [{ PUBLIC_URL: "https://user:pass@example.com" }, "PUBLIC_URL"],
    [{ PUBLIC_URL: "ftp://example.com" }, "PUBLIC_URL"],
    [{ SOCKETS_URL: "https://example.com" }, "SOCKETS_URL"],
    [{ TRUSTED_PROXIES: "10.0.0.0/8,everyone" }, "TRUSTED_PROXIES"],
    [{ TRUSTED_PROXIES: "10.0.0.0/33" }, "TRUSTED_PROXIES"],
    [{ TRUSTED_PROXIES: "10" }, "TRUSTED_PROXIES"],
    [{ COOKIE_SECURE: "no" }, "COOKIE_SECURE"],
    [{ RATE_LIMIT_PER_MINUTE: "0" }, "RATE_LIMIT_PER_MINUTE"],
    [{ HTTP_CONNECTIONS_MAX: "0" }, "HTTP_CONNECTIONS_MAX"],
    [{ HTTP_CONNECTIONS_PER_ADDRESS_MAX: "many" }, "HTTP_CONNECTIONS_PER_ADDRESS_MAX"],
    [{ HTTP_HEADERS_TIMEOUT: "2m" }, "HTTP_HEADERS_TIMEOUT"],
    [{ HTTP_REQUEST_TIMEOUT: "0s" }, "HTTP_REQUEST_TIMEOUT"],
    [{ HTTP_KEEP_ALIVE_TIMEOUT: "1h" }, "HTTP_KEEP_ALIVE_TIMEOUT"],
  ])("refuse %j", (environment, name) => {
    expect(() => readConfig(apiConfig, environment)).toThrow(ConfigError);
    expect(() => readConfig(apiConfig, environment)).toThrow(new RegExp(`^${name}: `));
  });

  test("take networks of both families", () => {
    const { trustedProxies } = readConfig(apiConfig, { TRUSTED_PROXIES: "10.0.0.0/8, ::1, fd00::/8" });
    expect(trustedProxies).toEqual(["10.0.0.0/8", "::1", "fd00::/8"]);
  });
});
