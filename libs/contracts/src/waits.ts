/**
 * Gates that wait for somebody outside the connection. `factors` has the wait: it makes the code or the link, counts, and says when
 * it is confirmed. `notify` carries the message and knows neither code nor contact before it sends; its jobs name the wait and
 * nothing else. Whatever changes wakes the handshake, and what that leads to is pushed to the edge that holds the client.
 */
import { z } from "zod";
import { request } from "./contract.ts";
import { address, empty, epochMs, gateName, handshakeId, id, text } from "./fields.ts";
import { outcome, step } from "./handshake.ts";

/** `queued`: is to be sent. `delayed`: could not be sent yet, is tried again. `failed`: was given up. `refused`: a limit was reached. */
export const waitStatus = z.enum(["queued", "sent", "delayed", "failed", "refused"]);
export type WaitStatus = z.infer<typeof waitStatus>;

/** `spent`: too many wrong numbers were typed; nobody can confirm it any more. `refused`: somebody who was asked said no. */
export const waitFate = z.enum(["open", "confirmed", "spent", "refused"]);
export type WaitFate = z.infer<typeof waitFate>;

/** What the waiting client is told. */
export const waitView = z.strictObject({
  /** Of the gate (docs/protocol.md section 9): `by`, and what goes with it. Contacts are masked. */
  prompt: z.record(text(32), z.union([text(128), z.number().int()])),
  status: waitStatus,
  /** From then on another message may be asked for; null: never. */
  resendAtMs: epochMs.nullable(),
});
export type WaitView = z.infer<typeof waitView>;

const fromIdentity = { server: "factors", callers: ["identity"] } as const;
const fromNotify = { server: "factors", callers: ["notify"] } as const;
const fromApi = { server: "factors", callers: ["api"] } as const;

export const startWait = request({
  ...fromIdentity,
  name: "factors.waits.start",
  request: z.strictObject({
    waitId: id,
    /** Id of the handshake: whom to wake. */
    handshake: handshakeId,
    socketId: id,
    /** Of what is enrolled for the gate: another one when that changes. Null at a gate that needs nothing enrolled. */
    enrolmentId: id.nullable(),
    gate: gateName,
    config: z.record(z.string(), z.unknown()),
    /** The member's contact; null at a gate that needs none. */
    to: text(254).nullable(),
    /** Name of the member, as claimed. */
    member: text(128).nullable(),
    /** Name of the socket, for the text of the message. */
    label: text(63),
    untilMs: epochMs,
    /** Names the network that the client comes from: an HMAC. */
    network: text(64),
  }),
  reply: waitView,
  idempotency: "by waitId: repeated, the wait as it is now; nothing is sent again",
  replay: "harmless",
});

export const resendWait = request({
  ...fromIdentity,
  name: "factors.waits.resend",
  request: z.strictObject({ waitId: id, ref: id }),
  reply: waitView.nullable(),
  idempotency: "by ref: repeated, the wait as it is now; null: there is no such wait any more",
  replay: "harmless",
});

export const readWait = request({
  ...fromIdentity,
  name: "factors.waits.read",
  request: z.strictObject({ waitId: id }),
  /** `wait`: null where it is over. */
  reply: z.strictObject({ wait: waitView.nullable(), fate: waitFate }),
  idempotency: "reads only",
  replay: "harmless",
});

export const composeWait = request({
  ...fromNotify,
  name: "factors.waits.compose",
  request: z.strictObject({ waitId: id }),
  /** null: there is nothing to send any more. */
  reply: z.strictObject({
    message: z
      .strictObject({
        channel: z.enum(["email", "sms", "call"]),
        to: text(254),
        subject: text(200),
        text: text(4096),
        /** Epoch milliseconds: from then on it is good for nothing. */
        untilMs: epochMs,
      })
      .nullable(),
  }),
  idempotency: "reads only: the same code each time",
  replay: "harmless",
});

export const reportWait = request({
  ...fromNotify,
  name: "factors.waits.report",
  request: z.strictObject({ waitId: id, sending: id, status: z.enum(["sent", "delayed", "failed"]) }),
  reply: empty,
  idempotency:
    "by sending and status: the same again changes nothing and is told to the handshake again. What was sent may still fail on its way; it is not delayed any more",
  replay: "harmless",
});

/** The handshake could not be woken when its wait changed: once more. */
export const wakeWait = request({
  ...fromNotify,
  name: "factors.waits.wake",
  request: z.strictObject({ waitId: id }),
  reply: empty,
  idempotency: "waking twice is waking",
  replay: "harmless",
  timeoutMs: 10_000,
});

/** For the page behind the link: changes nothing. */
export const findWait = request({
  ...fromApi,
  name: "factors.waits.find",
  request: z.strictObject({ token: text(256), address }),
  reply: z.strictObject({ wait: z.strictObject({ label: text(63) }).nullable() }),
  idempotency: "reads only, but for the count of attempts of the network",
  replay: "harmless",
});

export const confirmWait = request({
  ...fromApi,
  name: "factors.waits.confirm",
  request: z.strictObject({ token: text(256), number: text(16), address }),
  /** `gone`: never was, is over, was used, or had too many wrong numbers. */
  reply: z.strictObject({ result: z.enum(["confirmed", "wrong", "gone"]) }),
  idempotency: "once; confirmed again with the right number within the wait's life, confirmed again",
});

/** Something happened to a wait: `identity` asks what, and moves the handshake on. */
export const wakeHandshake = request({
  name: "identity.handshake.wake",
  server: "identity",
  callers: ["factors"],
  request: z.strictObject({ handshake: handshakeId, waitId: id }),
  reply: empty,
  idempotency: "by what the wait has become: the same again is pushed again and changes nothing",
  replay: "harmless",
  timeoutMs: 8_000,
});

/** Something to say that the client did not ask for. */
export const pushOutcome = request({
  name: "keys.handshake.push",
  server: "keys",
  callers: ["identity"],
  request: z.strictObject({
    /** Of the connection on which the client is now. */
    hid: handshakeId,
    /** +1 with each push of this connection. */
    seq: z.number().int().positive(),
    /** Number of the client's record behind which this was decided: news of a wait must not come behind the question that followed it. */
    n: z.number().int().nonnegative(),
    outcome,
  }),
  /** False: no edge has that connection any more. */
  reply: z.strictObject({ taken: z.boolean() }),
  idempotency: "by hid and seq: repeated, the stored frames are pushed again; an older seq is not",
  replay: "harmless",
  timeoutMs: 6_000,
});

/** To the one edge that holds the connection. */
export const pushStep = request({
  name: "edge.handshake.push",
  server: "edge",
  callers: ["keys"],
  routed: true,
  request: z.strictObject({ hid: handshakeId, step }),
  reply: z.strictObject({ taken: z.boolean() }),
  idempotency: "by the numbers of its frames: those that were written are not written again",
  replay: "harmless",
  timeoutMs: 2_000,
});

/** A member's answer secret, which `question` is answered with. */
export const mintAnswerSecret = request({
  ...fromIdentity,
  name: "factors.answer-secrets.mint",
  request: z.strictObject({ socketId: id, member: id }),
  /** `secret`: `pa1.…`, shown once. */
  reply: z.strictObject({ secret: text(64) }),
  idempotency: "none: each call replaces the secret",
});
export const forgetAnswerSecret = request({
  ...fromIdentity,
  name: "factors.answer-secrets.forget",
  request: z.strictObject({ socketId: id, member: id }),
  reply: z.strictObject({ existed: z.boolean() }),
  idempotency: "forgetting twice is forgetting",
});

/** A member's answer rule (docs/protocol.md section 9), by which a person answers `question` of the kind `rule`. */
export const setAnswerRule = request({
  ...fromIdentity,
  name: "factors.answer-rules.set",
  /** `rule` null: one is made. */
  request: z.strictObject({ socketId: id, member: id, rule: text(128).nullable() }),
  /** As it is kept; shown once. */
  reply: z.strictObject({ rule: text(128) }),
  idempotency: "each call replaces the rule, and with it what was counted against the one before",
});
export const forgetAnswerRule = request({
  ...fromIdentity,
  name: "factors.answer-rules.forget",
  request: z.strictObject({ socketId: id, member: id }),
  reply: z.strictObject({ existed: z.boolean() }),
  idempotency: "forgetting twice is forgetting",
});

/** What Twilio says became of a message; `notify` knows the secret by which it is signed. */
export const reportTwilio = request({
  name: "notify.twilio.report",
  server: "notify",
  callers: ["api"],
  request: z.strictObject({
    waitId: id,
    sending: id,
    /** Of the form that was posted. */
    fields: z.record(text(64), text(2048)),
    signature: text(64),
  }),
  /** False: not signed by who could, or there is no Twilio here. */
  reply: z.strictObject({ genuine: z.boolean() }),
  idempotency: "the same again changes nothing",
  replay: "harmless",
});

/** What was sent on a machine that has no mail server and no SMS provider. */
export const readOutbox = request({
  name: "notify.outbox.read",
  server: "notify",
  callers: ["api"],
  request: z.strictObject({ key: text(128), limit: z.number().int().min(1).max(100) }),
  /** Newest first; null: there is no outbox here. */
  reply: z.strictObject({
    messages: z
      .array(
        z.strictObject({
          id,
          atMs: epochMs,
          channel: z.enum(["email", "sms", "call"]),
          to: text(254),
          subject: text(200),
          text: text(8192),
        }),
      )
      .nullable(),
  }),
  idempotency: "reads only",
  replay: "harmless",
});
