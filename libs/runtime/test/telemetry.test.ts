import { createServer, type Server, type Socket } from "node:net";
import { context, logs, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createLogger,
  extractTrace,
  injectTrace,
  meterFor,
  startTelemetry,
  type Telemetry,
  type TelemetryOptions,
  timed,
  tracerFor,
  withSpan,
} from "../src/mod.ts";
import { startOtlpReceiver } from "./otlp-receiver.ts";

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function started(otlpEndpoint: string | null, more: Partial<TelemetryOptions> = {}): Telemetry {
  const telemetry = startTelemetry({
    service: "portcullis",
    version: "0.1.0",
    instance: "one",
    otlpEndpoint,
    sampling: 1,
    ...more,
  });
  cleanUps.push(() => telemetry.shutdown());
  return telemetry;
}

async function receiver() {
  const opened = await startOtlpReceiver();
  cleanUps.push(() => opened.close());
  return opened;
}

const secret = "hunter2-planted";

describe("telemetry", () => {
  it("draws one trace over services that share a process, and names the service on each span", async () => {
    const collector = await receiver();
    const early = tracerFor("edge");
    const telemetry = started(collector.endpoint);
    const carried = await withSpan(early, "handshake", { kind: "server", attributes: { gate: "otp" } }, () =>
      injectTrace({ "request-id": "r1" }),
    );
    expect(carried).toMatchObject({
      "request-id": "r1",
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/),
    });
    // As on the in-process bus: the receiver is called with the sender's context active, or with none.
    await withSpan(tracerFor("identity"), "answer", { kind: "server", parent: extractTrace(carried) }, async () => {
      await withSpan(tracerFor("identity"), "inner", {}, () => undefined);
    });
    await telemetry.shutdown();

    const named = (name: string) => collector.spans.find((span) => span.name === name);
    expect(collector.spans).toHaveLength(3);
    expect(new Set(collector.spans.map((span) => span.traceId)).size).toBe(1);
    expect(named("answer")?.parentSpanId).toBe(named("handshake")?.spanId);
    expect(named("inner")?.parentSpanId).toBe(named("answer")?.spanId);
    expect(named("handshake")).toMatchObject({
      service: "portcullis",
      scope: "portcullis.edge",
      attributes: { gate: "otp", "portcullis.service": "edge" },
    });
    expect(named("inner")).toMatchObject({
      scope: "portcullis.identity",
      attributes: { "portcullis.service": "identity" },
    });
    expect(collector.requests[0]?.body.includes("service.instance.id")).toBe(true);
    expect(collector.requests[0]?.body.includes("one")).toBe(true);
  });

  it("records failures by class and code, never what they say", async () => {
    const collector = await receiver();
    const telemetry = started(collector.endpoint);
    const failure = Object.assign(new RangeError(`wrong code ${secret}`), {
      code: "otp_wrong",
      request: secret,
      cause: new Error(secret),
    });
    await expect(withSpan(tracerFor("factors"), "verify", {}, () => Promise.reject(failure))).rejects.toBe(failure);
    await expect(
      withSpan(tracerFor("factors"), "throws", {}, () => {
        throw Object.assign(new TypeError(secret), { code: `sentence with ${secret}` });
      }),
    ).rejects.toThrow(TypeError);
    const histogram = meterFor("factors").createHistogram("portcullis.gate.duration", { unit: "s" });
    await expect(timed(histogram, { gate: "otp" }, () => Promise.reject(failure))).rejects.toBe(failure);
    await telemetry.shutdown();

    expect(collector.spans.map((span) => [span.name, span.statusCode, span.attributes["error.type"]])).toEqual([
      ["verify", 2, "otp_wrong"],
      ["throws", 2, "TypeError"],
    ]);
    expect(collector.requests.some(({ body }) => body.includes(secret))).toBe(false);
    const metric = collector.requests.find(({ path }) => path === "/v1/metrics");
    expect(metric?.body.includes("portcullis.gate.duration")).toBe(true);
    expect(metric?.body.includes("otp_wrong")).toBe(true);
  });

  it("sends nothing but traces and metrics, whatever OTEL_ variables say", async () => {
    const collector = await receiver();
    vi.stubEnv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint);
    vi.stubEnv("OTEL_LOGS_EXPORTER", "otlp");
    vi.stubEnv("OTEL_RESOURCE_ATTRIBUTES", `planted=${secret}`);
    vi.stubEnv("OTEL_PROPAGATORS", "baggage");
    cleanUps.push(async () => void vi.unstubAllEnvs());
    const telemetry = started(collector.endpoint);
    const carried = await withSpan(tracerFor("edge"), "x", {}, () => injectTrace());
    meterFor("edge").createCounter("portcullis.x").add(1);
    logs.getLogger("x").emit({ body: secret });
    await telemetry.shutdown();
    expect(Object.keys(carried)).toEqual(["traceparent"]);
    expect(new Set(collector.requests.map(({ path }) => path))).toEqual(new Set(["/v1/traces", "/v1/metrics"]));
    expect(collector.requests.some(({ body }) => body.includes(secret))).toBe(false);
  });

  it("puts the ids of the active span on log lines", async () => {
    started((await receiver()).endpoint);
    const lines: string[] = [];
    const log = createLogger({ service: "edge", destination: { write: (line) => void lines.push(line) } });
    const ids = await withSpan(tracerFor("edge"), "x", {}, async (span) => {
      await Promise.resolve();
      log.info("inside");
      return span.spanContext();
    });
    log.info("outside");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ trace_id: ids.traceId, span_id: ids.spanId });
    expect(lines[1]).not.toContain("trace_id");
  });

  it("starts a fresh trace where headers carry none or nonsense, even inside another span", async () => {
    started((await receiver()).endpoint);
    await withSpan(tracerFor("edge"), "sender", {}, () => {
      for (const traceparent of [
        "",
        "garbage",
        `00-${"0".repeat(32)}-${"1".repeat(16)}-01`,
        `ff-${"1".repeat(32)}-${"1".repeat(16)}-01`,
      ]) {
        expect(trace.getSpanContext(extractTrace({ traceparent })), traceparent).toBeUndefined();
      }
      expect(trace.getSpanContext(extractTrace({}))).toBeUndefined();
      expect(trace.getSpanContext(context.active())).toBeDefined();
    });
  });

  it("records no new trace at sampling 0, but what was decided elsewhere", async () => {
    const collector = await receiver();
    const telemetry = started(collector.endpoint, { sampling: 0 });
    await withSpan(tracerFor("edge"), "mine", {}, () => undefined);
    const parent = extractTrace({ traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01` });
    await withSpan(tracerFor("edge"), "theirs", { parent }, () => undefined);
    await telemetry.shutdown();
    expect(collector.spans.map((span) => span.name)).toEqual(["theirs"]);
  });

  it("does nothing without an endpoint, and spans still run their work", async () => {
    started(null);
    const headers = await withSpan(tracerFor("edge"), "x", { parent: ROOT_CONTEXT }, () => injectTrace({ a: "b" }));
    expect(headers).toEqual({ a: "b" });
  });

  it("runs once per process, and again after it was shut down", async () => {
    const collector = await receiver();
    const first = started(collector.endpoint);
    expect(() => started(collector.endpoint)).toThrow("already running");
    await first.shutdown();
    await started(collector.endpoint).shutdown();
    expect(() => started(collector.endpoint, { sampling: 2 })).toThrow(RangeError);
  });

  it.each(["refuses connections", "accepts and never answers"])(
    "stops within 2 s and without an error when the collector %s",
    async (kind) => {
      const sockets: Socket[] = [];
      const server: Server = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
      await new Promise((resolve) => server.once("listening", resolve));
      const address = server.address();
      const endpoint = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
      const close = () =>
        new Promise<void>((resolve) => {
          for (const socket of sockets) socket.destroy();
          server.close(() => resolve());
        });
      if (kind === "refuses connections") await close();
      else cleanUps.push(close);
      const telemetry = started(endpoint);
      for (let index = 0; index < 10_000; index += 1) tracerFor("edge").startSpan("lost").end();
      const startMs = performance.now();
      await telemetry.shutdown();
      expect(performance.now() - startMs).toBeLessThan(2_300);
    },
  );
});
