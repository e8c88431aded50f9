import { context, propagation, SpanKind, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { event, request, ServiceError, type ServiceName, services } from "@portcullis/contracts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { startReceiving } from "../src/calls/trace.ts";
import type { Observed } from "../src/memory/mod.ts";
import { memoryBusNetwork } from "../src/memory/mod.ts";
import {
  type Bus,
  BusUnavailableError,
  type Claim,
  createCaller,
  createServer,
  createServiceSeal,
  generateServiceKeyPair,
  type Message,
  type RoundTrip,
  type SealDirectory,
} from "../src/mod.ts";

const bytes = z.instanceof(Uint8Array);
const guess = request({
  name: "factors.test.guess",
  server: "factors",
  callers: ["identity"],
  request: z.strictObject({
    code: z.string().max(32),
    count: z.number().int(),
    blob: bytes,
    note: z.string().optional(),
  }),
  reply: z.strictObject({ right: z.boolean(), blob: bytes }),
  timeoutMs: 300,
  idempotency: "test",
});
const routedAsk = request({
  name: "edge.test.ask",
  server: "edge",
  callers: ["identity"],
  request: z.strictObject({ q: z.string() }),
  reply: z.strictObject({ a: z.string() }),
  routed: true,
  idempotency: "test",
});
const told = event({
  name: "edge.test.told",
  publishers: ["identity", "edge"],
  subscribers: ["edge"],
  shared: false,
  event: z.strictObject({ n: z.number().int(), secret: z.string() }),
  routed: true,
  delivery: "test",
});
const sharedTold = event({ ...told, name: "edge.test.shared", shared: true });
const torn = event({ ...told, name: "edge.test.torn", subscribers: ["edge", "keys"] });

const planted = "planted-secret-424242";
const body = { code: planted, count: 3, blob: new Uint8Array([0, 255, 10]) };
const pairs = services.map((service) => [service, generateServiceKeyPair()] as const);
const privateKeys = Object.fromEntries(pairs.map(([service, { privateKey }]) => [service, privateKey]));
const directory = Object.fromEntries(pairs.map(([service, { publicKey }]) => [service, publicKey])) as SealDirectory;

/** Changes or keeps what a handle sends as a request, and what it gets back. */
interface Meddler {
  readonly outgoing?: (subject: string, message: Message) => readonly [string, Message];
  readonly incoming?: (reply: Message) => Message;
}

function setUp() {
  const network = memoryBusNetwork();
  const seen: Observed[] = [];
  network.tap((observed) => seen.push(observed));
  const logged: { message: string; fields: object; error: unknown }[] = [];
  const busErrors: unknown[] = [];
  const roundTrips: [string, RoundTrip][] = [];
  let serial = 0;
  /** One memory for all replicas. */
  const claims = { made: new Map<string, number>(), down: false };
  const part = (self: ServiceName, meddler: Meddler = {}) => {
    const real = network.connect({ name: self, onError: (error) => busErrors.push(error) });
    const bus: Bus = {
      ...real,
      async request(subject, message, options) {
        const [to, changed] = meddler.outgoing?.(subject, message) ?? [subject, message];
        const reply = await real.request(to, changed, options);
        return meddler.incoming?.(reply) ?? reply;
      },
    };
    const seal = createServiceSeal({ self, privateKey: privateKeys[self] ?? "", directory });
    const write = (message: string, fields = {}, error?: unknown) => void logged.push({ message, fields, error });
    const claim: Claim = async (id, forMs) => {
      if (claims.down) throw new Error("the state engine is gone");
      const first = !claims.made.has(`${self} ${id}`);
      claims.made.set(`${self} ${id}`, forMs);
      return first;
    };
    const server = createServer({ bus, self, seal, claim, log: { error: write, warn: write } });
    const caller = createCaller({
      bus,
      self,
      seal,
      clock: () => Date.now(),
      ids: () => `id-${serial++}`,
      onRoundTrip: (name, roundTrip) => roundTrips.push([name, roundTrip]),
    });
    return { bus, seal, server, caller };
  };
  return { network, seen, logged, busErrors, roundTrips, claims, part };
}

const codeOf = async (work: Promise<unknown>) => {
  try {
    await work;
    return "fulfilled";
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
    throw error;
  }
};
const right = { right: true, blob: new Uint8Array([9]) };

describe("calls", () => {
  it("carry a question and its answer through schema, seal and bus; bytes stay bytes", async () => {
    const { part, roundTrips } = setUp();
    const got: unknown[] = [];
    await part("factors").server.serve(guess, (question, info) => {
      got.push(question, info);
      return { right: question.code === planted, blob: question.blob };
    });
    const answer = await part("identity").caller.call(guess, body);
    expect(answer).toEqual({ right: true, blob: body.blob });
    expect(answer.blob).toBeInstanceOf(Uint8Array);
    expect(got).toEqual([body, { from: "identity", requestId: "id-0", route: undefined }]);
    expect(roundTrips).toMatchObject([[guess.name, { requestId: "id-0", from: "identity", to: "factors" }]]);
  });

  it("show whoever records the bus nothing of bodies, answers, issues or events", async () => {
    const { part, seen, network } = setUp();
    const edge = part("edge").server;
    await edge.on(told, () => undefined);
    await part("factors").server.serve(guess, () => {
      throw new ServiceError("conflict", { issues: [{ path: planted, message: planted }] });
    });
    const { caller } = part("identity");
    const failed = await caller.call(guess, body).catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "conflict", issues: [{ path: planted, message: planted }] });
    caller.emit(told, { n: 1, secret: planted }, "r");
    expect(seen.map(({ kind }) => kind)).toEqual(["request", "reply", "publish"]);
    const holds = ({ subject, message }: Observed) =>
      Buffer.from(message.data).includes(planted) || JSON.stringify([subject, message.headers]).includes(planted);
    expect(seen.some(holds)).toBe(false);
    // The test can fail: the same search finds what is not sealed.
    network.connect({ onError: () => undefined }).publish("x", { data: Buffer.from(`..${planted}..`), headers: {} });
    expect(seen.some(holds)).toBe(true);
  });

  it("refuse a body that breaks the contract before it leaves, and say where but not what", async () => {
    const { part, seen } = setUp();
    const { caller } = part("identity");
    const wrong = { ...body, code: planted.repeat(3), count: 1.5, [planted]: planted };
    const error = await caller.call(guess, wrong).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "invalid" });
    expect(JSON.stringify(error)).not.toContain(planted);
    if (!(error instanceof ServiceError)) throw error;
    expect(error.issues.map(({ path }) => path).sort()).toEqual(["", "code", "count"]);
    expect(JSON.stringify(error.issues)).not.toContain(planted);
    expect(error.cause).toBeUndefined();
    expect(seen).toEqual([]);
  });

  it("refuse at the server what a caller with another idea of the contract sends", async () => {
    const { part, logged } = setUp();
    let handled = 0;
    await part("factors").server.serve(guess, () => {
      handled += 1;
      return right;
    });
    const lax = { ...guess, request: z.looseObject({ code: z.unknown() }) };
    const { caller } = part("identity");
    const error = await caller.call(lax, { code: { [planted]: planted } }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "invalid" });
    expect(JSON.stringify(error)).not.toContain(planted);
    expect(handled).toBe(0);
    expect(logged).toEqual([]);
  });

  it("turn an answer that breaks the contract into `internal` on either side, never into `invalid`", async () => {
    const { part, logged } = setUp();
    const loose = { ...guess, reply: z.unknown() };
    const first = part("factors");
    const strictServer = await first.server.serve(guess, () => ({ ...right, [planted]: planted }));
    expect(await codeOf(part("identity").caller.call(guess, body))).toBe("internal");
    expect(logged).toMatchObject([{ fields: { contract: guess.name, issues: ": has unknown fields" } }]);
    await strictServer.close();
    await first.server.serve(loose, () => "nonsense");
    expect(await codeOf(part("identity").caller.call(guess, body))).toBe("internal");
    expect(logged).toHaveLength(1);
  });

  it("carry a stated error, and hide an unexpected one behind `internal` but log it", async () => {
    const { part, logged } = setUp();
    const { server } = part("factors");
    const { caller } = part("identity");
    const stated = await server.serve(guess, () => {
      throw new ServiceError("too_many", { cause: new Error(planted) });
    });
    expect(await caller.call(guess, body).catch((reason: unknown) => reason)).toMatchObject({
      code: "too_many",
      issues: [],
    });
    expect(logged).toEqual([]);
    await stated.close();
    const bug = new TypeError("a bug");
    await server.serve(guess, () => {
      throw bug;
    });
    expect(await codeOf(caller.call(guess, body))).toBe("internal");
    expect(logged).toMatchObject([{ fields: { contract: guess.name }, error: bug }]);
    expect(JSON.stringify(logged)).not.toContain(planted);
  });

  it("say `unavailable` when nobody serves, nobody answers in time, or the bus is gone", async () => {
    const { part, network } = setUp();
    const { caller } = part("identity");
    expect(await codeOf(caller.call(guess, body))).toBe("unavailable");
    await part("factors").server.serve(guess, () => new Promise<typeof right>(() => undefined));
    expect(await codeOf(caller.call(guess, body, { timeoutMs: 30 }))).toBe("unavailable");
    network.interrupt();
    expect(await codeOf(caller.call(guess, body))).toBe("unavailable");
    expect(() => caller.emit(told, { n: 1, secret: "" }, "r")).toThrow(
      expect.objectContaining({ code: "unavailable" }),
    );
  });

  it("answer `busy` above the cap and go on when there is room", async () => {
    const { part } = setUp();
    const release: (() => void)[] = [];
    await part("factors").server.serve(
      guess,
      () => new Promise<typeof right>((resolve) => release.push(() => resolve(right))),
      { inFlightMax: 2 },
    );
    const { caller } = part("identity");
    const running = [caller.call(guess, body), caller.call(guess, body)];
    await expect.poll(() => release.length).toBe(2);
    expect(await codeOf(caller.call(guess, body))).toBe("busy");
    for (const go of release.splice(0)) go();
    await Promise.all(running);
    const again = caller.call(guess, body);
    await expect.poll(() => release.length).toBe(1);
    release[0]?.();
    expect(await again).toEqual(right);
  });

  it("belong to their parties: others cannot call, serve, publish or listen by mistake", async () => {
    const { part } = setUp();
    const api = part("api");
    await expect(api.caller.call(guess, body)).rejects.toThrow(TypeError);
    await expect(api.server.serve(guess, () => right)).rejects.toThrow(TypeError);
    expect(() => api.caller.emit(told, { n: 1, secret: "" }, "r")).toThrow(TypeError);
    await expect(api.server.on(told, () => undefined)).rejects.toThrow(TypeError);
    await expect(part("identity").caller.call(routedAsk, { q: "" })).rejects.toThrow(TypeError);
    expect(() => part("identity").caller.emit(torn, { n: 1, secret: "" }, "r")).toThrow(/exactly one subscriber/);
    await expect(part("edge").server.on(torn, () => undefined)).rejects.toThrow(/exactly one subscriber/);
  });

  it("reach the one replica that a route names", async () => {
    const { part } = setUp();
    await part("edge").server.serve(routedAsk, ({ q }, { route }) => ({ a: `${q} ${route} 1` }), { route: "one" });
    await part("edge").server.serve(routedAsk, ({ q }, { route }) => ({ a: `${q} ${route} 2` }), { route: "two" });
    const { caller } = part("identity");
    expect(await caller.call(routedAsk, { q: "hi" }, { route: "two" })).toEqual({ a: "hi two 2" });
    expect(await caller.call(routedAsk, { q: "hi" }, { route: "one" })).toEqual({ a: "hi one 1" });
    expect(await codeOf(caller.call(routedAsk, { q: "hi" }, { route: "three" }))).toBe("unavailable");
  });

  it("wait on close for what runs, then are gone", async () => {
    const { part } = setUp();
    const { server } = part("factors");
    await server.serve(guess, async () => {
      await new Promise((resolve) => setTimeout(resolve, 40));
      return right;
    });
    const { caller } = part("identity");
    const running = caller.call(guess, body);
    await new Promise((resolve) => setTimeout(resolve, 10));
    await server.close();
    expect(await running).toEqual(right);
    expect(await codeOf(caller.call(guess, body))).toBe("unavailable");
  });
});

describe("a bus that lies", () => {
  const refusal = "a message on the bus was refused";
  const altered = ({ data, headers }: Message): Message => {
    const copy = data.slice();
    copy[copy.length - 1] = (copy[copy.length - 1] ?? 0) ^ 1;
    return { data: copy, headers };
  };
  const other = { ...guess, name: "factors.test.other" };

  it.each<[string, Meddler]>([
    ["changes a byte", { outgoing: (subject, message) => [subject, altered(message)] }],
    [
      "claims another sender",
      { outgoing: (to, { data, headers }) => [to, { data, headers: { ...headers, "portcullis-from": "api" } }] },
    ],
    [
      "claims a sender that is none",
      { outgoing: (to, { data, headers }) => [to, { data, headers: { ...headers, "portcullis-from": "root" } }] },
    ],
    [
      "claims another id",
      { outgoing: (to, { data, headers }) => [to, { data, headers: { ...headers, "portcullis-id": "id-77" } }] },
    ],
    ["drops the headers", { outgoing: (to, { data }) => [to, { data, headers: {} }] }],
    ["replays it on another subject", { outgoing: (_, message) => ["portcullis.v1.factors.test.other", message] }],
  ])("%s of a question: not handled, logged, the caller is told `unavailable`", async (_name, meddler) => {
    const { part, logged } = setUp();
    let handled = 0;
    const { server } = part("factors");
    const handler = () => {
      handled += 1;
      return right;
    };
    await server.serve(guess, handler);
    await server.serve(other, handler);
    expect(await codeOf(part("identity", meddler).caller.call(guess, body))).toBe("unavailable");
    expect(handled).toBe(0);
    expect(logged.map(({ message }) => message)).toEqual([refusal]);
  });

  it.each<[string, (reply: Message) => Message]>([
    ["changes a byte", altered],
    ["says that it failed", ({ data }) => ({ data, headers: { "portcullis-error": "forbidden" } })],
  ])("%s of an answer: the caller is told `unavailable`", async (_name, incoming) => {
    const { part } = setUp();
    await part("factors").server.serve(guess, () => right);
    expect(await codeOf(part("identity", { incoming }).caller.call(guess, body))).toBe("unavailable");
  });

  it.each<[string, Record<string, string>]>([
    ["hides that it failed", {}],
    ["changes how it failed", { "portcullis-error": "not_found" }],
  ])("%s: the caller is told `unavailable`", async (_name, headers) => {
    const { part } = setUp();
    await part("factors").server.serve(guess, () => {
      throw new ServiceError("forbidden");
    });
    const incoming = ({ data }: Message) => ({ data, headers });
    expect(await codeOf(part("identity", { incoming }).caller.call(guess, body))).toBe("unavailable");
  });

  it("swaps the answers of two questions: neither is taken", async () => {
    const { part } = setUp();
    await part("factors").server.serve(guess, ({ code }) => ({ right: code === "right", blob: new Uint8Array(0) }));
    const replies: Message[] = [];
    const incoming = (reply: Message) => {
      replies.push(reply);
      return replies[0] ?? reply;
    };
    const { caller } = part("identity", { incoming });
    expect(await codeOf(caller.call(guess, { ...body, code: "right" }))).toBe("fulfilled");
    expect(await codeOf(caller.call(guess, { ...body, code: "wrong" }))).toBe("unavailable");
  });

  it("lets a service that may not call through: the server refuses it by the contract", async () => {
    const { part } = setUp();
    let handled = 0;
    await part("factors").server.serve(guess, () => {
      handled += 1;
      return right;
    });
    const forged = { ...guess, callers: ["api" as const] };
    expect(await codeOf(part("api").caller.call(forged, body))).toBe("forbidden");
    expect(handled).toBe(0);
  });

  it("sends a question again, to any replica: carried out once, and nothing is answered", async () => {
    const { part, seen, network, logged, claims } = setUp();
    let handled = 0;
    const handler = () => {
      handled += 1;
      return right;
    };
    await part("factors").server.serve(guess, handler);
    await part("factors").server.serve(guess, handler);
    await part("identity").caller.call(guess, body);
    const question = seen.find(({ kind }) => kind === "request");
    if (question === undefined) throw new Error("nothing was asked");
    const stranger = network.connect({ onError: () => undefined });
    for (let times = 0; times < 10; times += 1) {
      const asked = stranger.request(question.subject, question.message, { timeoutMs: 1_000 });
      await expect(asked).rejects.toBeInstanceOf(BusUnavailableError);
    }
    expect(handled).toBe(1);
    expect(logged.filter(({ fields }) => JSON.stringify(fields).includes("carried out before"))).toHaveLength(10);
    // As long as the seal opens, by clocks that differ as far as they may.
    expect([...claims.made]).toEqual([["factors identity.id-0", 90_000]]);
  });

  it("sends again what changes nothing: answered from what is there, without a claim", async () => {
    const { part, seen, network, claims } = setUp();
    const harmless = { ...guess, replay: "harmless" as const };
    await part("factors").server.serve(harmless, () => right);
    await part("identity").caller.call(harmless, body);
    const question = seen.find(({ kind }) => kind === "request");
    if (question === undefined) throw new Error("nothing was asked");
    const stranger = network.connect({ onError: () => undefined });
    const reply = await stranger.request(question.subject, question.message, { timeoutMs: 1_000 });
    expect(Buffer.from(reply.data).includes("right")).toBe(false);
    expect(claims.made.size).toBe(0);
  });

  it("cannot make it be carried out twice while nobody remembers: unavailable, and nothing is done", async () => {
    const { part, claims } = setUp();
    let handled = 0;
    await part("factors").server.serve(guess, () => {
      handled += 1;
      return right;
    });
    claims.down = true;
    expect(await codeOf(part("identity").caller.call(guess, body))).toBe("unavailable");
    expect(handled).toBe(0);
  });

  it("forges an event: dropped and logged, the next one is delivered", async () => {
    const { part, logged, network } = setUp();
    const got: number[] = [];
    await part("edge").server.on(told, ({ n }) => void got.push(n));
    const stranger = network.connect({ onError: () => undefined });
    const headers = { "portcullis-from": "identity", "portcullis-id": "x" };
    stranger.publish("portcullis.v1.edge.test.told.r", { data: Buffer.alloc(60, 1), headers });
    part("identity").caller.emit(told, { n: 1, secret: "" }, "r");
    await expect.poll(() => got).toEqual([1]);
    expect(logged.map(({ message }) => message)).toEqual(["an event on the bus was dropped"]);
  });
});

describe("events", () => {
  it("reach every replica, in order, from others and from one's own service", async () => {
    const { part } = setUp();
    const replicas = [part("edge"), part("edge")];
    const got: string[][] = [[], []];
    for (const [index, { server }] of replicas.entries()) {
      await server.on(told, ({ n }, { from, route }) => void got[index]?.push(`${n} ${from} ${route}`));
    }
    const { caller } = part("identity");
    for (let n = 0; n < 100; n += 1) caller.emit(told, { n, secret: "" }, "r");
    replicas[0]?.caller.emit(told, { n: 100, secret: "" }, "s");
    await expect.poll(() => got.map(({ length }) => length)).toEqual([101, 101]);
    const expected = [...Array.from({ length: 100 }, (_, n) => `${n} identity r`), "100 edge s"];
    expect(got).toEqual([expected, expected]);
  });

  it("reach one replica where they are shared, and one route where that is asked", async () => {
    const { part } = setUp();
    const got: string[] = [];
    for (const replica of ["a", "b"]) {
      const { server } = part("edge");
      await server.on(sharedTold, () => void got.push("shared"));
      await server.on(told, (_event, { route }) => void got.push(`${replica} ${route}`), { route: replica });
    }
    const { caller } = part("identity");
    caller.emit(sharedTold, { n: 1, secret: "" }, "r");
    caller.emit(told, { n: 1, secret: "" }, "a");
    caller.emit(told, { n: 1, secret: "" }, "nobody");
    await expect.poll(() => got.length).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(got.sort()).toEqual(["a a", "shared"]);
  });

  it("above the cap are dropped and reported; a handler that fails disturbs no other", async () => {
    const { part, logged } = setUp();
    const got: number[] = [];
    await part("edge").server.on(
      told,
      async ({ n }) => {
        got.push(n);
        await new Promise((resolve) => setTimeout(resolve, 20));
        if (n === 0) throw new Error("planted failure");
      },
      { inFlightMax: 2 },
    );
    const { caller } = part("identity");
    for (let n = 0; n < 3; n += 1) caller.emit(told, { n, secret: "" }, "r");
    await expect.poll(() => logged.length).toBe(2);
    await new Promise((resolve) => setTimeout(resolve, 20));
    caller.emit(told, { n: 3, secret: "" }, "r");
    await expect.poll(() => got).toEqual([0, 1, 3]);
    expect(logged.map(({ error }) => (error instanceof Error ? error.name : ""))).toEqual(["ServiceError", "Error"]);
  });
});

describe("trace", () => {
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

  it("crosses the bus: a question inside a handler, and an event, stay in the trace that began it all", async () => {
    const { part, seen, roundTrips } = setUp();
    const identity = part("identity");
    let heard = 0;
    await part("edge").server.on(told, () => void heard++);
    await part("factors").server.serve(guess, () => right);
    const outer = request({ ...guess, name: "identity.test.outer", server: "identity", callers: ["edge"] });
    await identity.server.serve(outer, async (question) => {
      identity.caller.emit(told, { n: 1, secret: planted }, "r");
      return identity.caller.call(guess, question);
    });
    const edge = part("edge");
    // Two at once: the ambient context of one must not leak into the other.
    await Promise.all([edge.caller.call(outer, body), edge.caller.call(outer, body)]);
    await expect.poll(() => heard).toBe(2);

    const spans = exporter.getFinishedSpans();
    const traces = new Set(spans.map((span) => span.spanContext().traceId));
    expect(traces.size).toBe(2);
    for (const id of traces) {
      const inside = spans.filter((span) => span.spanContext().traceId === id);
      const named = inside.map(
        (span) => `${span.name} ${SpanKind[span.kind]} ${span.attributes["portcullis.service"]}`,
      );
      expect(named.sort()).toEqual([
        "edge.test.told CONSUMER edge",
        "edge.test.told PRODUCER identity",
        "factors.test.guess CLIENT identity",
        "factors.test.guess SERVER factors",
        "identity.test.outer CLIENT edge",
        "identity.test.outer SERVER identity",
      ]);
      const parentOf = (name: string, kind: SpanKind) => {
        const span = inside.find((each) => each.name === name && each.kind === kind);
        const parent = inside.find((each) => each.spanContext().spanId === span?.parentSpanContext?.spanId);
        return parent && `${parent.name} ${SpanKind[parent.kind]}`;
      };
      expect(parentOf(outer.name, SpanKind.CLIENT)).toBeUndefined();
      expect(parentOf(outer.name, SpanKind.SERVER)).toBe("identity.test.outer CLIENT");
      expect(parentOf(guess.name, SpanKind.CLIENT)).toBe("identity.test.outer SERVER");
      expect(parentOf(guess.name, SpanKind.SERVER)).toBe("factors.test.guess CLIENT");
      expect(parentOf(told.name, SpanKind.CONSUMER)).toBe("edge.test.told PRODUCER");
    }
    expect(new Set(roundTrips.map(([, { traceId }]) => traceId))).toEqual(traces);
    expect(roundTrips).toHaveLength(4);
    expect(seen.some(({ message }) => message.headers.traceparent !== undefined)).toBe(true);
  });

  it("begins anew for a message that carries none, whatever runs where it is received", () => {
    const ambient = trace.getTracer("test").startSpan("ambient");
    const received = context.with(trace.setSpan(context.active(), ambient), () =>
      startReceiving("x", SpanKind.SERVER, "edge", {}),
    );
    expect(received.span.spanContext().traceId).not.toBe(ambient.spanContext().traceId);
    received.end();
  });

  it("holds codes of errors, and nothing of bodies or of what was thrown", async () => {
    const { part } = setUp();
    await part("factors").server.serve(guess, () => {
      throw new Error(planted);
    });
    expect(await codeOf(part("identity").caller.call(guess, body))).toBe("internal");
    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => span.attributes["error.type"])).toEqual(["internal", "internal"]);
    const text = JSON.stringify(
      spans.map(({ name, attributes, events, status }) => ({ name, attributes, events, status })),
    );
    expect(text).not.toContain(planted);
  });
});
