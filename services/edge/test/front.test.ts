import { createServer, get, request as httpRequest, IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ConfigError, destinationOf, readConfig } from "@portcullis/runtime";
import { describe, expect, it } from "vitest";
import { edgeConfig } from "../src/config.ts";
import { clientAddressReader } from "../src/front/client-address.ts";
import { connect, rawUpgrade, upgradeHeaders } from "./support/client.ts";
import { createWorld, later } from "./support/world.ts";

function statusOf(port: number, path: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    get({ port, path, host: "127.0.0.1" }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode, body }));
    }).on("error", reject);
  });
}

describe("an upgrade", () => {
  it("that is wrong in any way gets the same 400, on every path", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const wrong: [string, Record<string, string | null>][] = [
      ["/lab/secret", { "Sec-WebSocket-Protocol": null }],
      ["/lab/secret", { "Sec-WebSocket-Protocol": "portcullis.v2, chat" }],
      ["/other/path", { "Sec-WebSocket-Protocol": "portcullis.v1,," }],
      ["/lab/secret", { "Sec-WebSocket-Key": "short" }],
      ["/lab/secret", { "Sec-WebSocket-Version": "7" }],
      ["/lab/secret", { Upgrade: "h2c" }],
      [`/lab/${"x".repeat(2_049)}`, {}],
      [`/${"x".repeat(64)}`, {}],
      [`/lab/secret?${"x".repeat(2_049)}`, {}],
      ["/lab/secret", { Origin: `https://${"x".repeat(250)}.example` }],
    ];
    const answers = await Promise.all(
      wrong.map(async ([path, headers]) =>
        (await rawUpgrade(port, { path, headers: upgradeHeaders(headers) })).status(),
      ),
    );
    expect(new Set(answers)).toEqual(new Set(["HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0"]));
  });

  it("that is right gets the same 101 on every path, and no extension", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const headers = upgradeHeaders({ "Sec-WebSocket-Extensions": "permessage-deflate" });
    const answers = await Promise.all(
      ["/lab/secret", "/", "/nobody/nothing?x=1", "http://localhost/absolute"].map(async (path) =>
        (await rawUpgrade(port, { path, headers })).status(),
      ),
    );
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^HTTP\/1\.1 101 /);
    expect(answers[0]).toContain("Sec-WebSocket-Protocol: portcullis.v1");
    expect(answers[0]?.toLowerCase()).not.toContain("extensions");
  });

  it("above the cap of one address gets 429, above the cap of all 503; a place that was left is free again", async () => {
    const world = await createWorld();
    const edge = await world.edge({
      CONNECTIONS_MAX: "3",
      CONNECTIONS_PER_ADDRESS_MAX: "2",
      TRUSTED_PROXIES: "127.0.0.0/8",
    });
    const from = (address: string) => ({ headers: { "x-forwarded-for": address } });
    const statusFrom = async (address: string) => {
      const raw = await rawUpgrade(edge.port, { headers: upgradeHeaders({ "X-Forwarded-For": address }) });
      return (await raw.status()).split("\r\n", 1)[0];
    };
    const first = await connect(edge.port, from("2001:db8::1"));
    // The same /64.
    await connect(edge.port, from("2001:db8::2"));
    expect(await statusFrom("2001:db8::3")).toBe("HTTP/1.1 429 Too Many Requests");
    await connect(edge.port, from("2001:db8:0:1::3"));
    expect(await statusFrom("192.0.2.1")).toBe("HTTP/1.1 503 Service Unavailable");
    first.websocket.terminate();
    await expect.poll(edge.connections).toBe(2);
    expect(await statusFrom("2001:db8::3")).toMatch(/ 101 /);
  });

  it("that is refused or reset does not take a place for good", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ CONNECTIONS_PER_ADDRESS_MAX: "2" });
    for (let n = 0; n < 5; n += 1) {
      await (await rawUpgrade(port, { headers: upgradeHeaders({ "Sec-WebSocket-Key": "short" }) })).status();
      (await rawUpgrade(port)).socket.resetAndDestroy();
      await sleep(10);
    }
    await connect(port);
    expect(world.handlerErrors).toEqual([]);
  });
});

describe("HTTP", () => {
  it("answers probes and nothing else on a port of its own", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    expect(await statusOf(port, "/healthz")).toEqual({ status: 200, body: '{"status":"ok"}' });
    expect(await statusOf(port, "/readyz?x")).toEqual({ status: 200, body: '{"status":"ok"}' });
    expect((await statusOf(port, "/lab/secret")).status).toBe(404);
    expect((await statusOf(port, "/")).status).toBe(404);
  });

  it("/readyz names what is missing while there is no fresh bundle", async () => {
    const world = await createWorld();
    world.bundleLifeMs = 100;
    const { port } = await world.edge();
    expect(await statusOf(port, "/readyz")).toEqual({
      status: 503,
      body: '{"status":"unavailable","failing":["server bundle"]}',
    });
  });

  it("of a given server stays its owner's: only upgrades are taken", async () => {
    const world = await createWorld();
    const server = createServer((_request, response) => response.end("the console"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    later(() => new Promise((resolve) => server.close(() => resolve())));
    const edge = await world.edge({}, { server });
    const { port } = server.address() as AddressInfo;
    expect(edge.port).toBe(port);
    expect((await statusOf(port, "/healthz")).body).toBe("the console");
    const client = await connect(port);
    await client.hello();
    await edge.stop();
    expect((await client.closed).code).toBe(1012);
    expect((await statusOf(port, "/")).body).toBe("the console");
    expect(await (await rawUpgrade(port)).status()).toMatch(/ 503 /);
  });

  it("that stops in the middle of a request is given up", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    const pending = httpRequest({ port, host: "127.0.0.1", method: "POST", path: "/lab/secret" });
    pending.on("error", () => {});
    const answered = new Promise<number | undefined>((resolve) =>
      pending.on("response", ({ statusCode }) => resolve(statusCode)),
    );
    pending.write("never ends");
    expect(await answered).toBe(404);
    pending.destroy();
  });
});

describe("the address of a client", () => {
  const addressOf = (trusted: string[], remote: string, forwarded?: string) => {
    const socket = new Socket();
    Object.defineProperty(socket, "remoteAddress", { value: remote });
    const request = new IncomingMessage(socket);
    if (forwarded !== undefined) request.headers["x-forwarded-for"] = forwarded;
    return clientAddressReader(trusted)(request);
  };

  it.each([
    ["without proxies nothing that a client writes counts", [], "198.51.100.1", "1.1.1.1", "198.51.100.1"],
    ["counted from the right", ["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"],
    ["through several proxies", ["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2", "203.0.113.9"],
    ["a proxy that says nothing is the client", ["10.0.0.0/8"], "10.0.0.1", undefined, "10.0.0.1"],
    ["nonsense stops the walk", ["10.0.0.0/8"], "10.0.0.1", "1.1.1.1, <script>", "10.0.0.1"],
    ["a number is no address", ["10.0.0.0/8"], "10.0.0.1", "3221225985", "10.0.0.1"],
    ["only proxies", ["10.0.0.0/8"], "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"],
    ["IPv4 in IPv6 is IPv4", ["10.0.0.0/8"], "::ffff:10.0.0.1", "::ffff:203.0.113.9", "203.0.113.9"],
    ["IPv6 proxies", ["fd00::/8"], "fd00::1", "2001:db8::5", "2001:db8::5"],
  ])("%s", (_what, trusted, remote, forwarded, expected) => {
    expect(addressOf(trusted, remote, forwarded).text).toBe(expected);
  });

  it("counts an IPv6 /64 as one", () => {
    const network = (address: string) => addressOf([], address).network;
    expect(network("2001:db8::1")).toBe(network("2001:db8::ffff:1"));
    expect(network("2001:db8::1")).not.toBe(network("2001:db8:0:1::1"));
    expect(network("::ffff:192.0.2.1")).toBe(network("192.0.2.1"));
  });
});

describe("a destination", () => {
  const of = (host: string, url: string) => destinationOf({ headers: { host }, url }, "example.org");
  it.each([
    ["lab.example.org", "/a/b?x=1", "lab", "a/b", "x=1"],
    ["LAB.Example.ORG:8443", "/A/b", "lab", "A/b", ""],
    ["lab.example.org.", "/", "lab", "", ""],
    ["example.org", "/Lab/a/b?x=1&y", "lab", "a/b", "x=1&y"],
    ["evilexample.org", "/lab/a", "lab", "a", ""],
    ["[::1]:8080", "/lab", "lab", "", ""],
    ["", "/", "", "", ""],
    ["example.org", "//a", "", "a", ""],
    ["example.org", "/lab/%2e%2e/a?b?c", "lab", "%2e%2e/a", "b?c"],
    ["lab.example.org", "http://lab.example.org/a/b?x", "lab", "a/b", "x"],
  ])("%s%s is read", (host, url, label, path, query) => {
    expect(of(host, url)).toEqual({ label, path, query });
  });
});

describe("settings", () => {
  it("that are wrong are all named at once", () => {
    const wrong = { EDGE_PORT: "70000", DOMAIN: "no domain", TRUSTED_PROXIES: "10.0.0.0/8, proxy", OPEN_TIMEOUT: "10" };
    expect(() => readConfig(edgeConfig, wrong)).toThrow(ConfigError);
    try {
      readConfig(edgeConfig, wrong);
    } catch (error) {
      expect(error instanceof ConfigError ? error.problems.map((line) => line.split(":")[0]).sort() : []).toEqual(
        Object.keys(wrong).sort(),
      );
    }
    expect(readConfig(edgeConfig, { TRUSTED_PROXIES: "10.0.0.1,fd00::/8" }).trustedProxies).toEqual([
      "10.0.0.1",
      "fd00::/8",
    ]);
  });
});
