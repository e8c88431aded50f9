/**
 * What is asked for again while a session lives (docs/adr/0016). A step-up is a handshake of its own in `identity`; what it says goes to the
 * client as records of the session. Nothing is pushed through: whoever changes something nudges the edge, the edge asks `keys`, and `keys`
 * says what stands. So whatever is lost is asked for again, and the session ends by itself where nobody asks.
 */
import { z } from "zod";
import { request } from "./contract.ts";
import { bytes, epochMs, gateName, handshakeId, id, position, text } from "./fields.ts";
import { outcome, stepUpClock } from "./handshake.ts";
import { mine } from "./sockets.ts";

const where = {
  sid: id,
  /** The connection: a session may be on another one by now. */
  hid: handshakeId,
};
const asked = {
  ...where,
  /** `stepUp` of the connection's secrets; not secret. */
  transcript: bytes(32),
  /** False: the app key with which it came in was revoked since. */
  keyLive: z.boolean(),
};

/** What stands: `challenge`, `wait`, `stepped-up`, `denied` (the session is over), or `nothing`. */
const said = z.strictObject({
  outcome,
  /** Rises with whatever is said in this session; 0 with `nothing`. */
  n: z.number().int().nonnegative(),
  clock: stepUpClock,
});

/** What stands in a session; what is due is begun, and so is what a class of messages waits for. */
export const askStepUp = request({
  name: "identity.stepups.ask",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({ ...asked, class: text(32).nullable() }),
  reply: said,
  idempotency: "begins what has to be begun once, whoever asks how often; repeated, what stands by then",
  replay: "harmless",
});

export const takeStepUp = request({
  name: "identity.stepups.take",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({
    ...asked,
    /** Counter of the record, and 1. */
    n: z.number().int().positive(),
    action: z.discriminatedUnion("do", [
      z.strictObject({
        do: z.literal("answer"),
        cid: id,
        answer: z.strictObject({ gate: gateName, value: text(4096), at: position.nullable() }),
      }),
      z.strictObject({ do: z.literal("start"), cid: id, gate: gateName, at: position.nullable() }),
      z.strictObject({ do: z.literal("resend"), cid: id }),
      z.strictObject({ do: z.literal("cancel"), why: z.literal("not-recognised").optional() }),
    ]),
  }),
  reply: said,
  idempotency:
    "by hid and n: the same repeated is not looked at again, nor an older one, nor what is for another step-up than the one that stands; what stands is said",
  replay: "harmless",
});

const demanded = z.strictObject({
  /** True: its client was asked. False: it is not connected, and is asked when it comes back. */
  asked: z.boolean(),
});
const demand = {
  sid: id,
  /** Index of a rule in the policy's `during`, one with `on: "demand"`; null: the first of those. */
  rule: z.number().int().min(0).max(7).nullable(),
};

/** By the owner's program. */
export const demandStepUp = request({
  name: "identity.stepups.demand",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({ socketId: id, ...demand }),
  reply: demanded,
  idempotency: "demanded again while it stands, nothing; after it was passed, another one",
});

/** By the owner. */
export const demandStepUpOfSession = request({
  name: "identity.sockets.sessions.stepup",
  server: "identity",
  callers: ["api"],
  request: z.strictObject({ ...mine, ...demand }),
  reply: demanded,
  idempotency: "demanded again while it stands, nothing; after it was passed, another one",
});

/** Asked by the edge when the session's clock says so, or when it was nudged. */
export const readStepUp = request({
  name: "keys.stepups.read",
  server: "keys",
  callers: ["edge"],
  request: z.strictObject(where),
  reply: z.strictObject({
    /** For this client alone. */
    frames: z.array(bytes(16_384)).max(200),
    close: z.number().int().min(1000).max(4999).nullable(),
    /** Null: as before. */
    stepUp: stepUpClock.nullable(),
  }),
  idempotency: "repeated, fresh records that say what stands by then",
  replay: "harmless",
  timeoutMs: 10_000,
});

/** To the edge that holds the session: something changed, and it is to ask. */
export const nudgeStepUp = request({
  name: "edge.stepups.nudge",
  server: "edge",
  callers: ["identity"],
  routed: true,
  request: z.strictObject(where),
  reply: z.strictObject({ taken: z.boolean() }),
  idempotency: "nudged twice, it asks twice",
  replay: "harmless",
  timeoutMs: 2_000,
});

/** Epoch milliseconds, for those who write the clock. */
export type StepUpClock = z.infer<typeof stepUpClock>;
export type StepUpSaid = z.infer<typeof said>;
/** What `keys` reads of a live session's entry, for every message: no message is placed that has to wait. */
export const liveSessionView = z.object({
  view: z.strictObject({
    /** From then on what the client sends waits; null: nothing is due. */
    holdAtMs: epochMs.nullable(),
    /** Classes of messages that need a step-up: until when one that was passed covers them. */
    classes: z.record(text(32), epochMs),
  }),
});
export type LiveSessionView = z.infer<typeof liveSessionView>["view"];
