import type { Job } from "./port.ts";
import type { TraceCarrier } from "./trace.ts";

type Scalar = string | number | boolean | null;

/** How a job lies in the queue: its data, and the trace that it continues. */
export interface Envelope {
  readonly d: Job["data"];
  readonly t: TraceCarrier;
}

/** @throws {TypeError} when the queue holds something that no adapter of this port put there. */
export function readEnvelope(stored: unknown): Envelope {
  if (!isRecord(stored) || !isRecord(stored.d) || !isRecord(stored.t))
    throw new TypeError("a stored job has another shape");
  const data: Record<string, Scalar> = {};
  for (const [name, value] of Object.entries(stored.d)) {
    if (!isScalar(value)) throw new TypeError("stored job data is not flat");
    data[name] = value;
  }
  const { traceparent, tracestate } = stored.t;
  if (typeof traceparent !== "string") return { d: data, t: {} };
  return { d: data, t: typeof tracestate === "string" ? { traceparent, tracestate } : { traceparent } };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): value is Scalar {
  return value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
