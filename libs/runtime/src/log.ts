import { isSpanContextValid, trace } from "@opentelemetry/api";
import { pino } from "pino";
import { errorCode } from "./error-class.ts";
import { type Clock, systemClock } from "./ids.ts";
import { bounded, boundedJsonLine, textLine } from "./log-line.ts";

/**
 * What may be logged beside the message: single values, never an object. So nobody logs a whole request, and each thing that
 * reaches a log was named by whoever wrote the call.
 */
export type LogFields = Readonly<Record<string, string | number | boolean | null>>;

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
export const logFormats = ["json", "text"] as const;
export type LogFormat = (typeof logFormats)[number];

/** `error` is written as name, message, code and stack: pass none whose message quotes what somebody sent. */
type Write = (message: string, fields?: LogFields, error?: unknown) => void;

export interface Logger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  /** A logger that adds these fields to each line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly service: string;
  readonly instance?: string;
  /** Default `info`. */
  readonly level?: LogLevel;
  /** `json`: one object per line, for machines; `text`: one short line for people. Default `json`. */
  readonly format?: LogFormat;
  /** Gets each line with its newline, at most 4096 bytes. Default: standard output, written before the call returns. */
  readonly destination?: { write(line: string): void };
  readonly clock?: Clock;
}

const fieldsMax = 32;
const nameCharactersMax = 64;
const reserved: ReadonlySet<string> = new Set([
  "level",
  "time",
  "service",
  "instance",
  "trace_id",
  "span_id",
  "msg",
  "err",
  "cut",
]);

export function createLogger(options: LoggerOptions): Logger {
  const { service, instance, level = "info", format = "json", clock = systemClock } = options;
  // Synchronous: the line that explains why a process ends must be out before it ends.
  const out = options.destination ?? pino.destination({ dest: 1, sync: true });
  const line = format === "text" ? textLine : boundedJsonLine;
  const root = pino(
    {
      level,
      base: instance === undefined ? { service } : { service, instance },
      timestamp: () => `,"time":"${new Date(clock()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      mixin: activeSpan,
      // pino's own would add properties of the error.
      serializers: { err: (error: unknown) => error },
    },
    { write: (json: string) => void out.write(line(json)) },
  );

  function logger(bound: LogFields): Logger {
    const write =
      (name: Exclude<LogLevel, "silent">): Write =>
      (message, fields, error) => {
        if (!root.isLevelEnabled(name)) return;
        const record: Record<string, unknown> = fieldsOf({ ...bound, ...fields });
        if (error !== undefined) record.err = serialised(error);
        root[name](record, "%s", bounded(message));
      };
    return Object.freeze({
      debug: write("debug"),
      info: write("info"),
      warn: write("warn"),
      error: write("error"),
      child: (fields: LogFields) => logger({ ...bound, ...fields }),
    });
  }
  return logger({});
}

function activeSpan(): object {
  const context = trace.getActiveSpan()?.spanContext();
  return context !== undefined && isSpanContextValid(context)
    ? { trace_id: context.traceId, span_id: context.spanId }
    : {};
}

/** The type forbids objects; a cast somewhere else must not bring them back. */
function fieldsOf(fields: LogFields): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries<unknown>(fields).slice(0, fieldsMax)) {
    const key = bounded(reserved.has(name) ? `field_${name}` : name, nameCharactersMax);
    if (typeof value === "string") kept[key] = bounded(value);
    else if (value === null || typeof value === "number" || typeof value === "boolean") kept[key] = value;
    else if (value !== undefined) kept[key] = "(not logged)";
  }
  return kept;
}

function serialised(error: unknown): object {
  if (!(error instanceof Error))
    return { name: "NonError", message: `a ${typeof error} was thrown`, code: null, stack: null };
  return {
    name: bounded(error.name, 128),
    message: bounded(error.message),
    code: errorCode(error),
    stack: bounded(error.stack ?? "", 2_048),
  };
}
