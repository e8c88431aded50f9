import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { toError } from "./failure.ts";

/** W3C Trace Context only: baggage may hold what a queue must not. */
export interface TraceCarrier {
  readonly traceparent?: string;
  readonly tracestate?: string;
}

export function currentTrace(): TraceCarrier {
  const carrier: Record<string, string> = {};
  propagation.inject(context.active(), carrier);
  const { traceparent, tracestate } = carrier;
  if (traceparent === undefined) return {};
  return tracestate === undefined ? { traceparent } : { traceparent, tracestate };
}

/** Runs the handler in a span whose parent is the span that enqueued the job, however long ago that was. */
export async function inTrace(
  carrier: TraceCarrier,
  queue: string,
  run: number,
  work: () => Promise<void>,
): Promise<void> {
  const parent = propagation.extract(ROOT_CONTEXT, carrier);
  const attributes = { "messaging.destination.name": queue, "portcullis.job.run": run };
  const tracer = trace.getTracer("@portcullis/jobs");
  const span = tracer.startSpan(`job ${queue}`, { kind: SpanKind.CONSUMER, attributes }, parent);
  try {
    await context.with(trace.setSpan(parent, span), work);
  } catch (error) {
    // The class only: messages quote addresses.
    span.setAttribute("error.type", toError(error).name);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}
