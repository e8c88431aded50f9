import {
  type Attributes,
  type Context,
  context,
  type Histogram,
  type Link,
  type Meter,
  metrics,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { errorCode, errorName } from "./error-class.ts";

/** Name of the instrumentation scope of a service; `startTelemetry` puts `portcullis.service` on each of its spans. */
export const scopePrefix = "portcullis.";

export type SpanKindName = "internal" | "server" | "client" | "producer" | "consumer";

const kinds: Readonly<Record<SpanKindName, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

/** Spans of one service. May be called before `startTelemetry`. */
export function tracerFor(service: string): Tracer {
  return trace.getTracer(scopePrefix + service);
}

/** Metrics of one service. Call after `startTelemetry`: instruments made before it record nothing. */
export function meterFor(service: string): Meter {
  return metrics.getMeter(scopePrefix + service);
}

export interface SpanOptions {
  /** Default `internal`. */
  readonly kind?: SpanKindName;
  /** No personal data, no secret, no path: whoever runs the collector reads them. */
  readonly attributes?: Attributes;
  /** Default: the active context. From `extractTrace` where the work came over the bus or from a job. */
  readonly parent?: Context;
  /** What this work follows without being part of it, for example after somebody was waited for. */
  readonly links?: readonly Link[];
}

/**
 * Runs `fn` with a new span active and ends the span with it. A failure is recorded as `error.type` (code, else class) only:
 * messages of errors quote data.
 */
export async function withSpan<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  fn: (span: Span) => Promise<T> | T,
): Promise<T> {
  const { kind = "internal", attributes = {}, parent = context.active(), links = [] } = options;
  const span = tracer.startSpan(name, { kind: kinds[kind], attributes, links: [...links] }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), () => fn(span));
  } catch (error) {
    span.setAttribute("error.type", errorType(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/**
 * Runs `fn` and records its duration in seconds (the unit that OpenTelemetry's conventions ask for), with `error.type` where
 * it failed.
 */
export async function timed<T>(histogram: Histogram, attributes: Attributes, fn: () => Promise<T> | T): Promise<T> {
  const startMs = performance.now();
  const record = (more: Attributes) =>
    histogram.record((performance.now() - startMs) / 1_000, { ...attributes, ...more });
  try {
    const result = await fn();
    record({});
    return result;
  } catch (error) {
    record({ "error.type": errorType(error) });
    throw error;
  }
}

/** @returns the headers with the active W3C trace context added; the same headers where there is none. Names are lower-case. */
export function injectTrace(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  const carrier: Record<string, string> = { ...headers };
  propagation.inject(context.active(), carrier);
  return carrier;
}

const headers: TextMapGetter<Readonly<Record<string, string>>> = {
  keys: (carrier) => Object.keys(carrier),
  get: (carrier, name) => (Object.hasOwn(carrier, name) ? carrier[name] : undefined),
};

/**
 * The context that headers carry; a fresh one where they carry none or nonsense, never the active one: on the in-process bus
 * that would be the sender's, and both forms must draw the same trace. Not for headers that strangers send.
 */
export function extractTrace(carrier: Readonly<Record<string, string>>): Context {
  return propagation.extract(ROOT_CONTEXT, carrier, headers);
}

function errorType(error: unknown): string {
  return errorCode(error) ?? errorName(error);
}
