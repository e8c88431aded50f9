import { createHmac } from "node:crypto";
import { type Context, ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { type CloseCodeName, closeCodeOf } from "@portcullis/protocol";
import { meterFor, tracerFor } from "@portcullis/runtime";

/** How a handshake ended: by a verdict, because the client went, or by a close code of another kind. `silent`: denied, and not told. */
export type HandshakeOutcome = "accept" | "deny" | "silent" | "left" | CloseCodeName | "other";

export interface HandshakeTrace {
  /** What is done for this handshake runs in here, so that all of it is one trace. */
  readonly context: Context;
  /** Once; more calls do nothing. `closeCode` null: the connection goes on, or the client closed it. */
  end(outcome: HandshakeOutcome, closeCode: number | null, frames: number): void;
}

export interface EdgeTelemetry {
  opened(): void;
  closed(): void;
  handshake(): HandshakeTrace;
  malformed(closeCode: number): void;
  /** Of connections that are held and never answered. */
  silent(change: 1 | -1): void;
  messageIn(): void;
  messageOut(receivers: number): void;
}

/** Labels, paths, queries and addresses stay out: whoever runs the collector reads it. */
export function createTelemetry(): EdgeTelemetry {
  const tracer = tracerFor("edge");
  const meter = meterFor("edge");
  const connections = meter.createUpDownCounter("portcullis.edge.connections", { description: "Connections now" });
  const silent = meter.createUpDownCounter("portcullis.edge.silent", {
    description: "Connections now that are held and never answered again",
  });
  const handshakes = meter.createCounter("portcullis.edge.handshakes", { description: "Handshakes, by outcome" });
  const messages = meter.createCounter("portcullis.edge.messages", { description: "Unsealed messages, by direction" });
  const fanOut = meter.createHistogram("portcullis.edge.fanout", { description: "Local receivers of one message" });
  const malformed = meter.createCounter("portcullis.edge.malformed", {
    description: "Frames that break the protocol, by close code",
  });
  return {
    opened: () => connections.add(1),
    closed: () => connections.add(-1),
    handshake() {
      // A root: the HTTP server's span, if somebody traces it, would carry the path.
      const span = tracer.startSpan("handshake", { kind: SpanKind.SERVER, root: true }, ROOT_CONTEXT);
      let ended = false;
      return {
        context: trace.setSpan(ROOT_CONTEXT, span),
        end(outcome, closeCode, frames) {
          if (ended) return;
          ended = true;
          span.setAttributes({ "portcullis.outcome": outcome, "portcullis.frames": frames });
          if (closeCode !== null) span.setAttribute("portcullis.close_code", closeCode);
          span.end();
          handshakes.add(1, { outcome });
        },
      };
    },
    silent: (change) => silent.add(change),
    malformed: (closeCode) => malformed.add(1, { close_code: closeCode }),
    messageIn: () => messages.add(1, { direction: "in" }),
    messageOut(receivers) {
      messages.add(receivers, { direction: "out" });
      fanOut.record(receivers);
    },
  };
}

export function outcomeOfClose(closeCode: number): HandshakeOutcome {
  const name = closeCodeOf(closeCode)?.name;
  return name === undefined ? "other" : name === "denied" ? "deny" : (name as CloseCodeName);
}

/**
 * Names a destination in logs so that an operator sees that lines belong together. The key dies with the process: a log
 * cannot be searched for a path that somebody guesses.
 */
export function pathTagger(key: Uint8Array): (label: string, path: string) => string {
  return (label, path) => createHmac("sha256", key).update(`${label}|${path}`).digest("base64url").slice(0, 8);
}
