import { metrics, trace } from "@opentelemetry/api";
import type { Logger } from "@portcullis/runtime";
import { type Audit, type Entry, present } from "../audit/audit.ts";
import type { TurnedAway } from "../audit/turned-away.ts";
import type { Turned } from "./arrival.ts";
import type { Handshake } from "./store.ts";

/** Of whom something is recorded: ids, and the HMAC of a network. */
export type Who = Pick<Entry, "handshake" | "session" | "member" | "key" | "network"> & { readonly socketId: string };

export function whoOf({ socketId, stepUp, connection, memberId, keyId, network }: Handshake): Who {
  const handshake = stepUp?.id ?? connection;
  return { socketId, handshake, network, ...present({ session: stepUp?.sid, member: memberId, key: keyId }) };
}

/**
 * The true cause of every verdict, recorded where it is decided: in the log, as a metric, on the trace, and in the book of the socket. Nothing of it
 * reaches the client.
 */
export interface Verdicts {
  /** In the book it is by then (`admit`). */
  accepted(gates: readonly string[], tookMs: number): void;
  /** Likewise, into a decoy. */
  decoyed(gates: readonly string[], tookMs: number): void;
  denied(who: Who, cause: string, tookMs: number): void;
  /** What was asked of a session was passed. */
  steppedUp(who: Who, gates: readonly string[], tookMs: number): void;
  /** A session goes on over another connection, in a decoy where there is a room. @throws {ServiceError} unavailable: it must not, since that cannot be recorded */
  resumed(who: Who, room: string | null): Promise<void>;
  /** Turned away before the policy had a say. @param socketId null: there is none */
  turned(socketId: string | null, cause: Turned): void;
  gate(gate: string, ok: boolean, cause: string | null): void;
}

export function createVerdicts(parts: {
  readonly log: Logger;
  readonly audit: Audit;
  readonly turnedAway: TurnedAway;
}): Verdicts {
  const { log, audit, turnedAway } = parts;
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
    denied({ socketId, ...who }, cause, tookMs) {
      void audit.note(socketId, { event: "denied", cause, ...who });
      durations.record(tookMs, { verdict: "deny" });
      record("deny", cause);
    },
    steppedUp({ socketId, ...who }, passed, tookMs) {
      void audit.note(socketId, { event: "stepped-up", ...who, about: { gates: passed.join(" ") } });
      durations.record(tookMs, { verdict: "step-up" });
      record("step-up", passed.join(" "));
    },
    async resumed({ socketId, ...who }, room) {
      record(room === null ? "accept" : "decoy", "resumed");
      // Nobody is on the socket who goes on there: the book must not say so.
      const entry = room === null ? { event: "resumed" as const } : { event: "decoy" as const, cause: "resumed" };
      await audit.require(socketId, { ...entry, ...who });
    },
    turned(socketId, cause) {
      turnedAway.add(socketId, cause);
      record("deny", cause);
    },
    gate(gate, ok, cause) {
      gates.add(1, { gate, ok });
      if (!ok) log.info("gate not passed", { gate, cause });
    },
  };
}
