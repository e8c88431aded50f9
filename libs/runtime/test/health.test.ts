import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { createHealth, type HealthServer, startHealthServer } from "../src/mod.ts";

const open: HealthServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function served(health = createHealth()) {
  const server = await startHealthServer({ port: 0, host: "127.0.0.1", health });
  open.push(server);
  return async (path: string, init?: RequestInit) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, init);
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
}

describe("health", () => {
  it("answers ready and alive while every check passes", async () => {
    const health = createHealth();
    health.add("nats", () => Promise.resolve());
    const get = await served(health);
    expect(await get("/readyz")).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    expect(await get("/healthz?x=1")).toMatchObject({ status: 200, text: '{"status":"ok"}' });
    expect((await get("/readyz")).headers.get("cache-control")).toBe("no-store");
  });

  it("names what is missing, without detail, and stays alive", async () => {
    const health = createHealth();
    health.add("nats", () => Promise.reject(new Error("hunter2")));
    health.add("throws", () => {
      throw new Error("at once");
    });
    health.add("redis", () => Promise.resolve());
    const get = await served(health);
    expect(await get("/readyz")).toMatchObject({
      status: 503,
      text: '{"status":"unavailable","failing":["nats","throws"]}',
    });
    expect((await get("/healthz")).status).toBe(200);
  });

  it("serves nothing else and changes nothing", async () => {
    const get = await served();
    expect((await get("/")).status).toBe(404);
    expect((await get("/readyz", { method: "POST", body: "x" })).status).toBe(405);
    expect(await get("/readyz", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
  });

  it("stands in for a service that cannot answer yet: everything but probes is 503, an upgrade too", async () => {
    const health = createHealth();
    health.add("nats", () => Promise.reject(new Error("not connected yet")));
    const server = await startHealthServer({ port: 0, host: "127.0.0.1", health, standIn: true });
    open.push(server);
    const at = (path: string) => `http://127.0.0.1:${server.port}${path}`;
    expect((await fetch(at("/healthz"))).status).toBe(200);
    expect(await (await fetch(at("/readyz"))).json()).toEqual({ status: "unavailable", failing: ["nats"] });
    expect((await fetch(at("/v1/sign-in"), { method: "POST", body: "x" })).status).toBe(503);
    const upgrade = request(at("/chat/secret"), { headers: { connection: "upgrade", upgrade: "websocket" } }).end();
    const [response] = (await once(upgrade, "response")) as [IncomingMessage];
    expect(response.resume().statusCode).toBe(503);
    await server.close();
    await server.close();
  });

  it("asks a check at most once a second, however many ask", async () => {
    let nowMs = 0;
    let asked = 0;
    let ok = false;
    const health = createHealth({ clock: () => nowMs });
    health.add("redis", () => {
      asked += 1;
      return ok ? Promise.resolve() : Promise.reject(new Error("down"));
    });
    const reports = await Promise.all(Array.from({ length: 20 }, () => health.report()));
    expect(reports.every((report) => report.httpStatus === 503)).toBe(true);
    ok = true;
    nowMs = 999;
    expect((await health.report()).httpStatus).toBe(503);
    expect(asked).toBe(1);
    nowMs = 1_000;
    expect((await health.report()).httpStatus).toBe(200);
    expect(asked).toBe(2);
    nowMs = 500;
    await health.report();
    expect(asked).toBe(3);
  });

  it("fails a check that hangs, and does not pile up hanging ones", async () => {
    let started = 0;
    let release: () => void = () => {};
    const hung = new Promise<void>((resolve) => {
      release = resolve;
    });
    const health = createHealth({ timeoutMs: 10, cacheMs: 0 });
    health.add("mongo", () => {
      started += 1;
      return hung;
    });
    for (let round = 0; round < 8; round += 1) {
      expect((await health.report()).body).toEqual({ status: "unavailable", failing: ["mongo"] });
    }
    expect(started).toBe(4);
    release();
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await health.report()).httpStatus).toBe(200);
  });

  it("is not ready any more once the process stops", async () => {
    const health = createHealth();
    const get = await served(health);
    health.stopping();
    expect(await get("/readyz")).toMatchObject({ status: 503, text: '{"status":"stopping"}' });
    expect((await get("/healthz")).status).toBe(200);
  });

  it("refuses a name twice and forgets a check that was removed", async () => {
    const health = createHealth();
    const remove = health.add("a", () => Promise.reject(new Error("x")));
    expect(() => health.add("a", () => Promise.resolve())).toThrow(TypeError);
    remove();
    expect((await health.report()).httpStatus).toBe(200);
  });

  it("rejects when its port is taken", async () => {
    const first = await startHealthServer({ port: 0, host: "127.0.0.1", health: createHealth() });
    open.push(first);
    await expect(
      startHealthServer({ port: first.port, host: "127.0.0.1", health: createHealth() }),
    ).rejects.toMatchObject({ code: "EADDRINUSE" });
  });
});
