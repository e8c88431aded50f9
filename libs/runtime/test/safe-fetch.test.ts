import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "vitest";
import { createSafeFetch, OutboundError, outboundRule, type SafeFetchOptions } from "../src/mod.ts";

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

async function serve(handle: http.RequestListener, server: http.Server = http.createServer()) {
  const requests: http.IncomingMessage[] = [];
  server.on("request", (request, response) => {
    requests.push(request);
    handle(request, response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  stops.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, requests, server };
}

const local = [outboundRule().parse("http://127.0.0.1")];
const to127 = async () => ["127.0.0.1"];
const bounds = { group: "sk_1", timeoutMs: 2_000, maxBytes: 1_024 };

function safeFetch(options: Partial<SafeFetchOptions> = {}) {
  return createSafeFetch({ allow: local, resolve: to127, ...options });
}

async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => new Error("it came back"),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OutboundError)) throw error;
  expect(error.cause).toBeUndefined();
  expect(`${error.message}${error.stack}`).not.toContain("s3cret");
  return error.failure;
}

describe("a request to an address that an owner chose", () => {
  it("goes there by name, over TLS that is checked against that name", async () => {
    const file = (name: string) => readFile(new URL(`fixtures/${name}`, import.meta.url), "utf8");
    const cert = await file("hooks.example.cert.pem");
    const names: (string | false | null)[] = [];
    const tls = https.createServer({ key: await file("hooks.example.key.pem"), cert });
    tls.on("secureConnection", ({ servername }) => names.push(servername));
    const { port, requests } = await serve((request, response) => {
      let body = "";
      request.on("data", (chunk) => {
        body += chunk;
      });
      request.on("end", () => response.end(`${request.method} ${body}`));
    }, tls);
    const fetch = safeFetch({ ca: cert });
    const answer = await fetch({
      ...bounds,
      url: `https://hooks.example:${port}/a`,
      body: "grüß",
      headers: { x: "1" },
    });
    expect(answer.status).toBe(200);
    expect(Buffer.from(answer.body).toString()).toBe("POST grüß");
    expect(names).toEqual(["hooks.example"]);
    expect(requests[0]?.headers).toMatchObject({
      host: `hooks.example:${port}`,
      x: "1",
      "accept-encoding": "identity",
    });

    expect(await failure(fetch({ ...bounds, url: `https://other.example:${port}/s3cret` }))).toBe("unreachable");
    expect(await failure(safeFetch()({ ...bounds, url: `https://hooks.example:${port}/s3cret` }))).toBe("unreachable");
    expect(requests).toHaveLength(1);
  });

  it.each([
    ["loopback", ["127.0.0.1"]],
    ["cloud metadata", ["169.254.169.254"]],
    ["one public address and one inside", ["93.184.215.14", "10.0.0.5"]],
    ["IPv4 in IPv6", ["::ffff:10.0.0.5"]],
    ["what is no address", ["hooks.internal"]],
  ])("is refused where the name points to %s", async (_, addresses) => {
    const fetch = createSafeFetch({ allow: [], resolve: async () => addresses });
    expect(await failure(fetch({ ...bounds, url: "https://hooks.example/s3cret" }))).toBe("forbidden");
  });

  it("goes to the address that was checked, where the name points inside a moment later", async () => {
    const { port, requests } = await serve((_, response) => response.end("ok"));
    const answers = [["127.0.0.1"], ["127.0.0.2"]];
    let asked = 0;
    const resolve = async () => answers[asked++] ?? [];
    const fetch = safeFetch({ resolve });
    await fetch({ ...bounds, url: `http://hooks.example:${port}/` });
    expect(asked).toBe(1);
    expect(requests).toHaveLength(1);
    expect(await failure(fetch({ ...bounds, url: `http://hooks.example:${port}/s3cret` }))).toBe("forbidden");
  });

  it("follows no redirect", async () => {
    const inside = await serve((_, response) => response.end("metadata"));
    const { port } = await serve((_, response) =>
      response.writeHead(302, { location: `http://127.0.0.1:${inside.port}/s3cret` }).end(),
    );
    expect(await failure(safeFetch()({ ...bounds, url: `http://hooks.example:${port}/` }))).toBe("redirected");
    expect(inside.requests).toHaveLength(0);
  });

  it.each([
    [
      "that says its size",
      (response: http.ServerResponse) => response.writeHead(200, { "content-length": 10_000_000 }),
    ],
    ["that does not", (response: http.ServerResponse) => response.writeHead(200)],
  ])("reads no more than it was told, of an answer %s", async (_, head) => {
    let written = 0;
    const { port } = await serve((_, response) => {
      head(response);
      const flood = () => {
        while (!response.destroyed && written < 10_000_000) {
          written += 65_536;
          if (!response.write(Buffer.alloc(65_536))) return void response.once("drain", flood);
        }
      };
      flood();
    });
    expect(await failure(safeFetch()({ ...bounds, url: `http://hooks.example:${port}/` }))).toBe("too-large");
    expect(written).toBeLessThan(10_000_000);
  });

  it("unpacks nothing", async () => {
    const bomb = gzipSync(Buffer.alloc(1_000_000));
    const { port } = await serve((_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
    expect(await failure(safeFetch()({ ...bounds, maxBytes: 65_536, url: `http://hooks.example:${port}/` }))).toBe(
      "encoded",
    );
  });

  it("takes no headers without end", async () => {
    const { port } = await serve((_, response) => response.writeHead(200, { x: "a".repeat(20_000) }).end());
    expect(await failure(safeFetch()({ ...bounds, url: `http://hooks.example:${port}/` }))).toBe("unreachable");
  });

  it("is over in time, however an answer drips", async () => {
    const silent = await serve(() => undefined);
    const dripping = await serve((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write("."), 20);
      stops.push(() => clearInterval(timer));
    });
    const fetch = safeFetch();
    for (const { port } of [silent, dripping]) {
      const begun = performance.now();
      expect(await failure(fetch({ ...bounds, timeoutMs: 200, url: `http://hooks.example:${port}/` }))).toBe("timeout");
      expect(performance.now() - begun).toBeLessThan(1_500);
    }
    const slowNames = safeFetch({ resolve: () => new Promise(() => undefined) });
    expect(await failure(slowNames({ ...bounds, timeoutMs: 100, url: "http://hooks.example/" }))).toBe("timeout");
    const stopped = AbortSignal.abort();
    expect(await failure(slowNames({ ...bounds, signal: stopped, url: "http://hooks.example/" }))).toBe("timeout");
  });

  it("says what is missing: a name, a server, the rest of an answer, an answer of its protocol", async () => {
    const fetch = safeFetch();
    const nameless = safeFetch({ resolve: () => Promise.reject(new Error("ENOTFOUND s3cret")) });
    expect(await failure(nameless({ ...bounds, url: "https://s3cret.example/" }))).toBe("unresolved");
    const gone = await serve(() => undefined);
    gone.server.close();
    expect(await failure(fetch({ ...bounds, url: `http://hooks.example:${gone.port}/s3cret` }))).toBe("unreachable");
    const half = await serve((_, response) => {
      response.writeHead(200, { "content-length": 10 });
      response.write("half", () => response.destroy());
    });
    expect(await failure(fetch({ ...bounds, url: `http://hooks.example:${half.port}/` }))).toBe("unreachable");
    const other = await serve((request) =>
      request.socket.end("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
    );
    expect(await failure(fetch({ ...bounds, url: `http://hooks.example:${other.port}/` }))).toBe("unreachable");
  });

  it("asks no proxy of the environment", async () => {
    const proxy = await serve((_, response) => response.end("proxy"));
    const { port } = await serve((_, response) => response.end("direct"));
    const script = `
      import http from "node:http";
      import { createSafeFetch } from ${JSON.stringify(new URL("../src/safe-fetch.ts", import.meta.url).href)};
      const url = "http://127.0.0.1:${port}/";
      const fetch = createSafeFetch({ allow: [{ to: "127.0.0.1", http: true }] });
      const { body } = await fetch({ url, group: "a", timeoutMs: 5000, maxBytes: 100 });
      http.get(url, async (plain) => console.log(String(Buffer.from(body)), String((await plain.toArray())[0])));`;
    const env = { ...process.env, HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, NODE_USE_ENV_PROXY: "1" };
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], { env });
    // The second shows that others would ask it.
    expect((await run).stdout.trim()).toBe("direct proxy");
  });

  it("takes only so many places, for one group and in all, and gives them back", async () => {
    const { port } = await serve((request, response) => {
      if (request.url === "/quick") response.end("ok");
    });
    const fetch = safeFetch({ limits: { all: 3, group: 2 } });
    const hang = (group: string) =>
      failure(fetch({ ...bounds, group, timeoutMs: 300, url: `http://hooks.example:${port}/` }));
    const first = [hang("a"), hang("a")];
    expect(await hang("a")).toBe("busy");
    const second = hang("b");
    expect(await hang("c")).toBe("busy");
    expect(await Promise.all([...first, second])).toEqual(["timeout", "timeout", "timeout"]);
    expect((await fetch({ ...bounds, group: "a", url: `http://hooks.example:${port}/quick` })).status).toBe(200);
  });
});
