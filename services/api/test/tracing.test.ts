import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { sessionSecret, startApi, type TestApi } from "./api.ts";

const exporter = new InMemorySpanExporter();
let api: TestApi;
beforeAll(async () => {
  trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  api = await startApi();
});
afterAll(async () => {
  await api.close();
  trace.disable();
  propagation.disable();
  context.disable();
});
beforeEach(() => {
  exporter.reset();
  api.logLines.length = 0;
});

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const serverSpans = () =>
  exporter
    .getFinishedSpans()
    .filter((span) => span.instrumentationScope.name === "portcullis.api" && span.kind === SpanKind.SERVER);
const created = {
  id: "sck_1",
  label: "chat",
  path: null,
  policy: {},
  idParameter: "id",
  role: "owner",
  authenticator: false,
  advice: [],
  createdAtMs: 0,
  updatedAtMs: 0,
  version: 1,
};

describe("one request", () => {
  test("is one server span named by its route, linked to the caller's, and parent of every call it makes", async () => {
    api.answers["identity.sockets.update"] = created;
    const headers = { traceparent: `00-${traceId}-${parentId}-01`, tracestate: "who=canary", baggage: "who=canary" };
    await (await api.signedIn("PATCH", "/v1/sockets/sck_1", { version: 1 }, headers)).text();
    await expect.poll(() => serverSpans().length).toBe(1);
    const [span] = serverSpans();
    expect(span).toMatchObject({
      name: "PATCH /v1/sockets/:id",
      kind: SpanKind.SERVER,
      attributes: { "http.request.method": "PATCH", "http.route": "/v1/sockets/:id", "http.response.status_code": 200 },
    });
    // A stranger's trace is named, not joined: they decide neither what is recorded nor what it is part of.
    expect(span?.parentSpanContext).toBeUndefined();
    expect(span?.spanContext().traceId).not.toBe(traceId);
    expect(span?.links).toMatchObject([{ context: { traceId, spanId: parentId } }]);
    expect(span?.links[0]?.context.traceState?.serialize() ?? "").toBe("");
    const calls = exporter.getFinishedSpans().filter((one) => one.kind === SpanKind.CLIENT);
    expect(calls).toHaveLength(2);
    for (const call of calls) expect(call.parentSpanContext?.spanId).toBe(span?.spanContext().spanId);
  });

  test("keeps its trace where the body comes late, in the connection's own context", async () => {
    api.answers["identity.accounts.password.forgot"] = {};
    const body = JSON.stringify({ email: "a@x.example" });
    const late = new ReadableStream<Uint8Array>({
      async start(controller) {
        for (const part of [body.slice(0, 5), body.slice(5)]) {
          controller.enqueue(Buffer.from(part));
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        controller.close();
      },
    });
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: late, duplex: "half" } as RequestInit;
    expect((await fetch(`${api.url}/v1/account/password/forgot`, init)).status).toBe(202);
    await expect.poll(() => serverSpans().length).toBe(1);
    const [call] = exporter.getFinishedSpans().filter((one) => one.kind === SpanKind.CLIENT);
    expect(call?.parentSpanContext?.spanId).toBe(serverSpans()[0]?.spanContext().spanId);
  });

  test.each(["nonsense", `00-${"0".repeat(32)}-${parentId}-01`, `00-${traceId.toUpperCase()}-${parentId}-01`])(
    "names no caller's trace where it is malformed: %s",
    async (traceparent) => {
      await (await fetch(`${api.url}/`, { headers: { traceparent } })).text();
      await expect.poll(() => serverSpans().length).toBe(1);
      expect(serverSpans()[0]?.links).toEqual([]);
    },
  );

  test("is one log line with the trace, and neither of them says what was sent", async () => {
    api.answers["identity.accounts.sign-in"] = {
      secret: "pcs_canarycanarycanary",
      sessionId: "ws_1",
      expiresAtMs: 2e12,
    };
    const email = "canary@example.com";
    await (
      await api.signedIn(
        "POST",
        "/v1/sign-in?token=canary",
        { email, password: "canary" },
        { "user-agent": "canary", referer: "http://canary/" },
      )
    ).text();
    await (await fetch(`${api.url}/canary/secretpath?x=canary`)).text();
    await (
      await fetch(`${api.url}/v1/sockets/canary`, { headers: { cookie: `__Host-portcullis=${sessionSecret}` } })
    ).text();
    await expect.poll(() => serverSpans().length).toBe(3);
    await expect.poll(() => api.logLines.length).toBe(3);
    const lines = api.logLines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({
      msg: "request",
      method: "POST",
      route: "/v1/sign-in",
      status: 200,
      aborted: false,
    });
    expect(lines[0]?.trace_id).toBe(serverSpans()[0]?.spanContext().traceId);
    expect(lines[0]?.address).toMatch(/^[0-9a-f]{8}$/);
    expect(lines[1]).toMatchObject({ route: "/.socket", status: 200 });
    const said = JSON.stringify([
      api.logLines,
      exporter.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    ]);
    for (const secret of ["canary", "secretpath", sessionSecret, "127.0.0.1"]) expect(said).not.toContain(secret);
  });

  test("that fails is marked, one that the caller gives up is noted", async () => {
    api.answers["keys.identity"] = "unavailable";
    await (await fetch(`${api.url}/v1/server`)).text();
    await expect.poll(() => serverSpans().length).toBe(1);
    expect(serverSpans()[0]?.attributes).toMatchObject({ "http.response.status_code": 503, "error.type": "503" });

    api.logLines.length = 0;
    api.answers["keys.identity"] = (() =>
      new Promise((resolve) => setTimeout(resolve, 300, { fingerprint: "x" }))) as unknown as () => object;
    await expect(fetch(`${api.url}/v1/server`, { signal: AbortSignal.timeout(100) })).rejects.toThrow();
    await expect.poll(() => api.logLines.length).toBe(1);
    expect(JSON.parse(api.logLines[0] ?? "")).toMatchObject({ aborted: true });
  });
});
