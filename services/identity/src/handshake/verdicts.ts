import { metrics, trace } from "@opentelemetry/api";
import type { Logger } from "@portcullis/runtime";
import type { Turned } from "./arrival.ts";

/**
 * The true cause of every verdict, recorded where it is decided: in the log, as a metric, and on the trace. Nothing of it
 * reaches the client.
 */
export interface Verdicts {
  accepted(gates: readonly string[], tookMs: number): void;
  /** Likewise, into a decoy. */
  decoyed(gates: readonly string[], tookMs: number): void;
  denied(cause: string, tookMs: number): void;
  /** What was asked of a session was passed. */
  steppedUp(gates: readonly string[], tookMs: number): void;
  /** A session goes on over another connection. */
  resumed(): void;
  /** Turned away before the policy had a say. */
  turned(cause: Turned): void;
  gate(gate: string, ok: boolean, cause: string | null): void;
}

export function createVerdicts(log: Logger): Verdicts {
  const meter = metrics.getMeter("portcullis.identity");
  const verdicts = meter.createCounter("portcullis.verdicts", { description: "Handshakes by verdict and cause" });
  const durations = meter.createHistogram("portcullis.handshake.duration", {
    unit: "ms",
    description: "From the opened box to the verdict",
  });
  const gates = meter.createCounter("portcullis.gates", { description: "Answers by gate and result" });

  function record(verdict: "accept" | "deny" | "step-up" | "decoy", cause: string): void {
    verdicts.add(1, { verdict, cause });
    trace.getActiveSpan()?.setAttributes({ "portcullis.verdict": verdict, "portcullis.cause": cause });
    log.info("verdict", { verdict, cause });
  }

  return {
    accepted(passed, tookMs) {
      durations.record(tookMs, { verdict: "accept" });
      record("accept", passed.join(" "));
    },
    decoyed(passed, tookMs) {
      durations.record(tookMs, { verdict: "decoy" });
      record("decoy", passed.join(" "));
    },
    denied(cause, tookMs) {
      durations.record(tookMs, { verdict: "deny" });
      record("deny", cause);
    },
    steppedUp(passed, tookMs) {
      durations.record(tookMs, { verdict: "step-up" });
      record("step-up", passed.join(" "));
    },
    resumed: () => record("accept", "resumed"),
    turned: (cause) => record("deny", cause),
    gate(gate, ok, cause) {
      gates.add(1, { gate, ok });
      if (!ok) log.info("gate not passed", { gate, cause });
    },
  };
}
