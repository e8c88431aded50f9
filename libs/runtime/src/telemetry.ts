import { context, logs, metrics, propagation, trace } from "@opentelemetry/api";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { NodeSDK } from "@opentelemetry/sdk-node";
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";
import { errorClass } from "./error-class.ts";
import type { Logger } from "./log.ts";
import { scopePrefix } from "./tracing.ts";

export interface TelemetryOptions {
  /** `service.name` of the process. Services that share one process are told apart by `portcullis.service` on each span. */
  readonly service: string;
  readonly version: string;
  /** `service.instance.id`. */
  readonly instance: string;
  /** Base URL of an OTLP/HTTP collector, `http://127.0.0.1:4318`; null: nothing is recorded, sent or propagated. */
  readonly otlpEndpoint: string | null;
  /** Share of new traces that are recorded, 0 to 1; one that goes on in another service keeps what was decided where it began. */
  readonly sampling: number;
  /** Told, at most once a minute, that signals are being lost. */
  readonly log?: Pick<Logger, "warn">;
  /** Default 15000. */
  readonly metricIntervalMs?: number;
}

export interface Telemetry {
  /** Sends what is left, for at most 2 s, and never rejects. Idempotent. */
  shutdown(): Promise<void>;
}

const shutdownMsMax = 2_000;
const exportMsMax = 5_000;
const spanDelayMs = 1_000;
const queueSpansMax = 4_096;
const complaintIntervalMs = 60_000;

/**
 * One provider per process: throws when there is one already. A collector that is slow, dead or talks nonsense costs signals
 * (bounded queues, bounded exports), never the process.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const { otlpEndpoint, sampling, log } = options;
  if (!(sampling >= 0 && sampling <= 1)) throw new RangeError("sampling is a share between 0 and 1");
  if (otlpEndpoint === null) return { shutdown: () => Promise.resolve() };
  if (started) throw new Error("telemetry is already running in this process");
  started = true;

  const base = otlpEndpoint.replace(/\/+$/, "");
  const exportTo = (path: string) => ({ url: `${base}/v1/${path}`, timeoutMillis: exportMsMax });
  const intervalMs = options.metricIntervalMs ?? 15_000;
  reportLosses(log);
  // Everything is given: what is left out, the SDK takes from OTEL_* variables, logs to localhost:4318 by default included.
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: defaultResource().merge(
      resourceFromAttributes({
        "service.name": options.service,
        "service.version": options.version,
        "service.instance.id": options.instance,
      }),
    ),
    instrumentations: [],
    logRecordProcessors: [],
    // No baggage: nothing here reads it, and it would carry anybody's text through every service.
    textMapPropagator: new W3CTraceContextPropagator(),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampling) }),
    spanLimits: { attributeValueLengthLimit: 256, attributeCountLimit: 64, linkCountLimit: 16, eventCountLimit: 32 },
    spanProcessors: [
      serviceOnSpans,
      new BatchSpanProcessor({
        exporter: new OTLPTraceExporter(exportTo("traces")),
        scheduledDelayMillis: spanDelayMs,
        exportTimeoutMillis: exportMsMax,
        maxQueueSize: queueSpansMax,
      }),
    ],
    metricReaders: [
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter(exportTo("metrics")),
        exportIntervalMillis: intervalMs,
        exportTimeoutMillis: Math.min(exportMsMax, intervalMs),
      }),
    ],
  });
  sdk.start();

  let stopping: Promise<void> | null = null;
  return {
    shutdown() {
      stopping ??= withinBound(sdk.shutdown()).then(release);
      return stopping;
    },
  };
}

let started = false;

function release(): void {
  trace.disable();
  metrics.disable();
  logs.disable();
  propagation.disable();
  context.disable();
  started = false;
}

async function withinBound(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const bound = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, shutdownMsMax);
  });
  // The signals of a process that ends are not worth its exit code.
  await Promise.race([work.catch(() => undefined), bound]);
  clearTimeout(timer);
}

/** The scope says whose span it is, but many viewers show attributes only. */
const serviceOnSpans: SpanProcessor = {
  onStart(span) {
    const { name } = span.instrumentationScope;
    if (name.startsWith(scopePrefix)) span.setAttribute("portcullis.service", name.slice(scopePrefix.length));
  },
  onEnd() {},
  forceFlush: () => Promise.resolve(),
  shutdown: () => Promise.resolve(),
};

function reportLosses(log: Pick<Logger, "warn"> | undefined): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler((error) => {
    const nowMs = performance.now();
    if (nowMs - lastMs < complaintIntervalMs) return;
    lastMs = nowMs;
    log?.warn("telemetry cannot be delivered", { error: errorClass(error) });
  });
}
