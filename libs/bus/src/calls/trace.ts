import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from "@opentelemetry/api";
import { ServiceError, type ServiceName } from "@portcullis/contracts";

type Headers = Record<string, string>;

// Only these two: baggage may hold anything, and headers are not sealed.
const carried: ReadonlySet<string> = new Set(["traceparent", "tracestate"]);
const valueCharactersMax = 512;

const setter: TextMapSetter<Headers> = {
  set(headers, name, value) {
    if (carried.has(name) && value !== "" && value.length <= valueCharactersMax) headers[name] = value;
  },
};

const getter: TextMapGetter<Readonly<Headers>> = {
  keys: (headers) => Object.keys(headers).filter((name) => carried.has(name)),
  get(headers, name) {
    const value = carried.has(name) ? headers[name] : undefined;
    return value !== undefined && value.length <= valueCharactersMax ? value : undefined;
  },
};

export interface Traced {
  readonly span: Span;
  readonly context: Context;
  /** Ends the span; of an error only its public code is kept. */
  end(error?: unknown): void;
}

/** The instrumentation scope of a service, for its spans and its metrics. */
export function scopeOf(service: ServiceName): string {
  return `portcullis.${service}`;
}

function start(name: string, kind: SpanKind, self: ServiceName, parent: Context): Traced {
  const tracer = trace.getTracer(scopeOf(self));
  const span = tracer.startSpan(name, { kind, attributes: { "portcullis.service": self } }, parent);
  return {
    span,
    context: trace.setSpan(parent, span),
    end(error) {
      if (error !== undefined) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        span.setAttribute("error.type", error instanceof ServiceError ? error.code : "internal");
      }
      span.end();
    },
  };
}

/** A span in the trace that runs now; its context is written into `headers`. */
export function startSending(
  name: string,
  kind: SpanKind.CLIENT | SpanKind.PRODUCER,
  self: ServiceName,
  headers: Headers,
): Traced {
  const traced = start(name, kind, self, context.active());
  propagation.inject(traced.context, headers, setter);
  return traced;
}

/** A span in the trace that `headers` name, whatever else runs here. */
export function startReceiving(
  name: string,
  kind: SpanKind.SERVER | SpanKind.CONSUMER,
  self: ServiceName,
  headers: Readonly<Headers>,
): Traced {
  return start(name, kind, self, propagation.extract(ROOT_CONTEXT, headers, getter));
}
