import { type Context, context } from "@opentelemetry/api";
import type { Caller } from "@portcullis/bus";
import { type Admitted, type ConnectionFacts, handshakeOpen, handshakeRecord, type Step } from "@portcullis/contracts";
import { type CloseCodeName, closeCodes, encodeHello, ProtocolError, parseOpen } from "@portcullis/protocol";
import type { Clock, Logger, Random } from "@portcullis/runtime";
import { createTimer } from "../wire/timer.ts";
import { type Asked, askKeys } from "./ask-keys.ts";
import type { BundleKeeper } from "./bundle-keeper.ts";
import { requireRecord } from "./handshake-record.ts";
import { createIntake, type Frame } from "./intake.ts";
import type { Line } from "./line.ts";
import type { Reports } from "./reports.ts";
import type { SilentConnections } from "./silent-connections.ts";

export interface HandshakeDeps {
  readonly caller: Caller;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, "error">;
  readonly bundles: BundleKeeper;
  readonly silent: SilentConnections;
  readonly openTimeoutMs: number;
}

/** From the hello to a verdict. */
export interface HandshakePhase {
  /** Says hello, or that none can be given. */
  begin(): void;
  receive(data: Buffer, binary: boolean): void;
  /** What the client did not ask for. @returns whether the connection is there to take it */
  push(step: Step): boolean;
  /** Drops what waits, and lets no deadline end the connection any more. */
  stop(): void;
  /** Tells `identity` how a connection ended that was never admitted, where it has heard of it. @param closeCode ours or the peer's */
  report(closeCode: number): void;
  /** Resolves when no question is under way: what there was to report is reported. */
  settled(): Promise<void>;
  /** How many the client has sent. */
  readonly frames: number;
}

/**
 *     awaiting-open ─open→ asking ─step→ awaiting-record ─record→ asking ─ … ─accepted→ onAdmitted
 *                                                                          └─silent→ silent
 *
 * It stays `asking` until the session has begun: what the client sends meanwhile is judged as before.
 * `silent`: what comes is counted against what any connection may send before it is let in, and dropped unread. So whoever goes on talking is at the
 * same limits as before, and nothing that they say tells them that nobody listens.
 */
type State = "awaiting-open" | "asking" | "awaiting-record" | "silent";

export function createHandshakePhase(
  deps: HandshakeDeps,
  options: {
    readonly line: Line;
    readonly reports: Reports;
    readonly hid: string;
    readonly facts: ConnectionFacts;
    /** For logs, instead of label and path. */
    readonly pathTag: string;
    readonly traceContext: Context;
    readonly onAdmitted: (admitted: Admitted, frames: Step["frames"]) => Promise<void>;
    /** It has its verdict, and the connection stays for a while. */
    readonly onSilent: () => void;
  },
): HandshakePhase {
  const { caller, clock, random, log, bundles } = deps;
  const { line, reports, hid, facts, pathTag, traceContext, onAdmitted, onSilent } = options;
  const nonce = random(32);
  const bundle = bundles.current();
  const intake = createIntake();
  const deadline = createTimer(clock);
  let state: State = "awaiting-open";
  let question: Promise<void> = Promise.resolve();
  let overdue = false;
  /** `keys` has heard of this handshake. */
  let opened = false;
  let verdict = false;
  let admitting = false;
  let leaveSilence = () => {};
  /** Number of the last sealed plaintext that was written, and those that were written because they were pushed. */
  let written = 0;
  const pushed = new Set<number>();
  /** What was pushed and has overtaken an answer that comes before it. The newest says what those before it said. */
  let ahead: Step | null = null;
  /** Of a connection that ended while a question was under way. */
  let closedWith: number = closeCodes.closed.code;

  function take({ data, binary }: Frame): void {
    try {
      if (state === "awaiting-open") takeOpen(data, binary);
      else takeRecord(data, binary);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      line.refuse(error.code);
    }
  }

  function takeOpen(data: Buffer, binary: boolean): void {
    if (binary || bundle === null) throw new ProtocolError("out-of-order", "frame");
    parseOpen(data.toString("utf8"));
    deadline.clear();
    opened = true;
    const { kid, replica } = bundle;
    const body = { kid, hid, nonce, open: data, connection: facts };
    ask(() => caller.call(handshakeOpen, body, { route: replica }), "expired-bundle");
  }

  function takeRecord(data: Buffer, binary: boolean): void {
    requireRecord(data, binary);
    ask(() => caller.call(handshakeRecord, { hid, record: data }), "unavailable");
  }

  /** One question at a time: what the client sends next may depend on the answer. */
  function ask(call: () => Promise<Step>, notFound: CloseCodeName): void {
    state = "asking";
    question = context
      .with(traceContext, () => answer(call, notFound))
      .catch((error: unknown) => {
        log.error("a step of a handshake failed", { path: pathTag }, error);
        line.terminate("unavailable");
      });
  }

  async function answer(call: () => Promise<Step>, notFound: CloseCodeName): Promise<void> {
    const asked = await askKeys(call, notFound);
    // The verdict was pushed while this question was under way.
    if (admitting || state === "silent") return;
    if ("failed" in asked) {
      giveUp(asked);
      return;
    }
    const { step } = asked;
    verdict ||= isVerdict(step);
    // The replica was started anew under its old name: every hello with this bundle would end the same way.
    if (bundle !== null && step.close === closeCodes["expired-bundle"].code) bundles.discard(bundle, "key");
    if (line.isClosed()) reportEnd(step.admitted, closedWith);
    else if (step.admitted === null) proceed(step);
    else await admit(step.admitted, ofAnswer(step));
  }

  function admit(admitted: Admitted, frames: Step["frames"]): Promise<void> {
    admitting = true;
    deadline.clear();
    return onAdmitted(admitted, frames);
  }

  /** A push may come after an answer that brought its frames along. */
  function ofPush({ frames }: Step): Step["frames"] {
    const unwritten = frames.filter(({ n }) => n === 0 || n > written);
    for (const { n } of unwritten) pushed.add(n);
    return noted(unwritten);
  }

  /** An answer may bring frames along that were pushed before. What was said in answer to a record is said again with it. */
  function ofAnswer({ frames }: Step): Step["frames"] {
    return noted(frames.filter(({ n }) => n === 0 || !pushed.has(n)));
  }

  function noted(frames: Step["frames"]): Step["frames"] {
    for (const { n } of frames) written = Math.max(written, n);
    return frames;
  }

  function giveUp({ failed, cause }: Extract<Asked, { failed: unknown }>): void {
    if (bundle !== null && (cause === "unavailable" || cause === "not_found")) {
      bundles.discard(bundle, cause === "unavailable" ? "replica" : "key");
    }
    if (line.isClosed()) reportEnd(null, closedWith);
    else {
      state = "awaiting-record";
      line.terminate(failed);
    }
  }

  /** The client went before it was let in: what it would have become must not stay in the books. */
  function reportEnd(admitted: Admitted | null, closeCode: number): void {
    const letIn = ahead?.admitted ?? admitted;
    if (letIn !== null) reports.ended(letIn, closeCode);
    else if (!verdict) reports.left(closeCode);
  }

  function proceed(step: Step): void {
    line.send({ frames: ofAnswer(step) });
    if (step.silent === true) {
      fallSilent(step);
      return;
    }
    state = "awaiting-record";
    if (step.deadlineMs !== null) {
      overdue = false;
      deadline.at(step.deadlineMs, onDeadline);
    }
    if (step.close !== null) line.close(step.close);
    else if (overdue) line.terminate("deadline");
    else {
      if (ahead !== null) say(ahead);
      const next = line.isClosed() || admitting ? undefined : intake.next();
      if (next !== undefined) take(next);
    }
  }

  function isAhead({ frames }: Step): boolean {
    const next = frames.find(({ n }) => n > written);
    return state === "asking" && next !== undefined && next.n > written + 1;
  }

  /** What was pushed. */
  function say(step: Step): void {
    ahead = null;
    const { admitted } = step;
    if (admitted !== null) {
      // Whatever the client sends until the session has begun is judged as while a question is under way.
      state = "asking";
      context
        .with(traceContext, () => admit(admitted, ofPush(step)))
        .catch((error: unknown) => {
          log.error("a pushed step of a handshake failed", { path: pathTag }, error);
          line.terminate("unavailable");
        });
      return;
    }
    line.send({ frames: ofPush(step) });
    if (step.silent === true) {
      fallSilent(step);
      return;
    }
    if (step.deadlineMs !== null) {
      overdue = false;
      deadline.at(step.deadlineMs, onDeadline);
    }
    if (step.close !== null) line.close(step.close);
  }

  function fallSilent({ deadlineMs }: Step): void {
    state = "silent";
    ahead = null;
    intake.clear();
    pushed.clear();
    leaveSilence = deps.silent.enter(() => line.terminate("deadline"));
    deadline.at(deadlineMs ?? clock(), onDeadline);
    onSilent();
  }

  function onDeadline(): void {
    // The client was in time; what takes long is ours.
    if (state === "asking") overdue = true;
    else line.terminate("deadline");
  }

  return {
    begin() {
      if (bundle === null) {
        void bundles.refresh();
        line.terminate("unavailable");
        return;
      }
      const hello = encodeHello({ bundle: bundle.bundle, sig: bundle.signature, hid, nonce });
      line.send({ frames: [{ kind: "text", data: Buffer.from(hello), n: 0 }] });
      deadline.at(clock() + deps.openTimeoutMs, onDeadline);
    },
    receive(data, binary) {
      const frame = { data, binary };
      const problem = intake.problemWith(frame, state === "asking");
      if (problem !== null) line.refuse(problem);
      else if (state === "silent") return;
      else if (state === "asking") intake.hold(frame);
      else take(frame);
    },
    push(step) {
      if (line.isClosed() || state === "awaiting-open" || state === "silent") return false;
      if (verdict) return true;
      verdict = isVerdict(step);
      if (isAhead(step)) ahead = newerOf(step, ahead);
      else say(step);
      return true;
    },
    stop() {
      intake.clear();
      deadline.clear();
      leaveSilence();
    },
    report(closeCode) {
      // While a question is under way, its answer decides what there is to report.
      if (state === "asking") closedWith = closeCode;
      else if (opened) reportEnd(null, closeCode);
    },
    settled: () => question,
    get frames() {
      return intake.frames;
    },
  };
}

function isVerdict({ admitted, close, silent }: Step): boolean {
  return admitted !== null || close !== null || silent === true;
}

function newerOf(one: Step, other: Step | null): Step {
  const last = ({ frames }: Step) => frames.at(-1)?.n ?? 0;
  return other === null || last(one) > last(other) ? one : other;
}
