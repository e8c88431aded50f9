import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { connect, enter, message, open, record } from "./support/client.ts";
import { accept, createWorld, deny, keepGoing } from "./support/world.ts";

const exporter = new InMemorySpanExporter();
beforeAll(() => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
});
afterAll(() => {
  trace.disable();
  propagation.disable();
  context.disable();
});
beforeEach(() => exporter.reset());

const handshakes = () => exporter.getFinishedSpans().filter(({ name }) => name === "handshake");

describe("one handshake", () => {
  it("is one trace from the upgrade to the verdict, also when another runs beside it", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    exporter.reset();
    world.onRecord = async () => accept({ sid: `s${world.records.length}` });
    const clients = await Promise.all([enter(port), enter(port)]);
    for (const client of clients) {
      await client.next();
      client.send(record());
    }
    for (const client of clients) expect(String(await client.next())).toBe("accepted");
    await expect.poll(handshakes).toHaveLength(2);

    for (const root of handshakes()) {
      expect(root.kind).toBe(SpanKind.SERVER);
      expect(root.parentSpanContext).toBeUndefined();
      expect(root.attributes).toEqual({ "portcullis.outcome": "accept", "portcullis.frames": 2 });
      const { traceId } = root.spanContext();
      const inside = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
      expect(inside.map(({ name, kind }) => `${name} ${SpanKind[kind]}`).sort()).toEqual([
        "handshake SERVER",
        "keys.handshake.open CLIENT",
        "keys.handshake.open SERVER",
        "keys.handshake.record CLIENT",
        "keys.handshake.record SERVER",
        "keys.sessions.presence PRODUCER",
      ]);
    }
    expect(new Set(handshakes().map((span) => span.spanContext().traceId)).size).toBe(2);
  });

  it.each([
    ["deny", 4503],
    ["malformed", 4500],
    ["left", null],
  ])("that ends as %s says so", async (outcome, closeCode) => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => deny();
    const client = await connect(port);
    await client.hello();
    if (outcome === "left") client.websocket.close();
    else client.send(outcome === "deny" ? open() : "{");
    await client.closed;
    await expect.poll(handshakes).toHaveLength(1);
    expect(handshakes()[0]?.attributes["portcullis.outcome"]).toBe(outcome);
    expect(handshakes()[0]?.attributes["portcullis.close_code"]).toBe(closeCode ?? undefined);
  });
});

describe("a handshake that ends in silence", () => {
  it("is told at once, and once", async () => {
    const world = await createWorld();
    const { port } = await world.edge();
    world.onOpen = async () => ({ ...keepGoing(Date.now() + 300), silent: true });
    const client = await enter(port);
    await expect.poll(handshakes).toHaveLength(1);
    await client.closed;
    const lines = () => world.lines.filter((line) => line.includes('"path"')).map((line) => JSON.parse(line).msg);
    await expect.poll(lines).toEqual(["handshake ended", "silent connection ended"]);
    expect(handshakes().map(({ attributes }) => attributes)).toEqual([
      { "portcullis.outcome": "silent", "portcullis.frames": 1 },
    ]);
  });
});

describe("what is recorded", () => {
  it("holds neither label, path, query, address, origin nor message; logs carry the trace and a tag of the path", async () => {
    const world = await createWorld();
    const { port } = await world.edge({ TRUSTED_PROXIES: "127.0.0.1" });
    const planted = ["plantedlabel", "plantedpath", "plantedquery", "203.0.113.77", "planted.example", "plantedbody"];
    const headers = { "x-forwarded-for": "203.0.113.77", origin: "https://planted.example" };
    const path = "/plantedlabel/plantedpath?plantedquery=1";
    world.onOpen = async () => accept({ sid: `s${world.opens.length}` });
    const client = await enter(port, { path, headers });
    await client.next();
    client.send(message(0, "plantedbody"));
    await client.message();
    client.send("out of order");
    await client.closed;
    const again = await enter(port, { path, headers });
    await again.next();
    await expect.poll(() => world.lines.filter((line) => line.includes('"path"')).length).toBe(3);

    const spans = JSON.stringify(
      exporter.getFinishedSpans().map(({ name, attributes, events, status, links }) => ({
        name,
        attributes,
        events,
        status,
        links,
      })),
    );
    for (const secret of planted) {
      expect(spans).not.toContain(secret);
      expect(world.lines.join("")).not.toContain(secret);
    }
    const lines = world.lines.filter((line) => line.includes('"path"')).map((line) => JSON.parse(line));
    expect(new Set(lines.map(({ path: tag }) => tag)).size).toBe(1);
    expect(lines[0].path).toMatch(/^[A-Za-z0-9_-]{8}$/);
    const traces = new Set(handshakes().map((span) => span.spanContext().traceId));
    for (const line of lines) expect(traces).toContain(line.trace_id);
    expect(lines.map(({ msg, outcome, close_code }) => [msg, outcome, close_code ?? null])).toEqual([
      ["handshake ended", "accept", null],
      ["session ended", "out-of-order", 4501],
      ["handshake ended", "accept", null],
    ]);
  });
});
