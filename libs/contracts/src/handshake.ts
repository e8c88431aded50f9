/**
 * The way of an answer, in one line: edge → keys → identity → factors, and back. Each opens what is meant for it: `keys` the
 * box and the records, `identity` runs the policy's machine, `factors` knows the authenticators. Nobody is asked twice, so an
 * offer costs three round trips to its verdict and a prompted gate the same three.
 */
import { z } from "zod";
import { event, request } from "./contract.ts";
import { address, bytes, empty, epochMs, gateName, handshakeId, id, position, text } from "./fields.ts";

/** What only the edge can know of a connection. `path` is a secret that a URL carries. */
export const connection = z.strictObject({
  label: text(63),
  /** Without the leading slash, as received (still percent-encoded). */
  path: text(2048),
  /** Without the question mark, as received. */
  query: text(2048),
  address,
  origin: text(256).nullable(),
});
export type ConnectionFacts = z.infer<typeof connection>;

/** One frame for the client. */
export const outgoing = z.strictObject({
  kind: z.enum(["text", "binary"]),
  data: bytes(16_384),
  /** Number of the plaintext inside: an edge writes what it has not written, in this order. 0: not of the sealed conversation. */
  n: z.number().int().nonnegative(),
});

/** What a session is: somebody who came through the gates, the socket's owner, or the owner's program. */
export const sessionRole = z.enum(["member", "owner", "consumer"]);
export type SessionRole = z.infer<typeof sessionRole>;
/** What an app key opens: nobody comes in as what their key is not for. */
export const keyRole = sessionRole.exclude(["owner"]);
export type KeyRole = z.infer<typeof keyRole>;
/** How messages go: everybody to everybody, or members to the owner's program and back. */
export const messagingMode = z.enum(["broadcast", "consumer"]);

export const endToEndMode = z.enum(["off", "allowed", "required"]);

/** When a session has to be asked about, and when it ends where nobody has: an edge that hears nothing lets nothing go on unchecked. */
export const stepUpClock = z.strictObject({ askAtMs: epochMs, endAtMs: epochMs });

/** What an accepted connection may do; everything that an edge needs to know of a session. */
export const admitted = z.strictObject({
  sid: id,
  socketId: id,
  member: text(128).nullable(),
  /** Whom it is for: one of the socket's people, its owner, or a program of the owner's. */
  role: sessionRole,
  /** False: the member is only claimed, and messages are not marked with the name. */
  memberProven: z.boolean(),
  mode: messagingMode,
  expiresAtMs: epochMs,
  maxBytes: z.number().int().positive(),
  perSecond: z.number().int().positive(),
  /** Messages are sealed: they go through `keys`, and the edge sees none of them. */
  sealed: z.boolean(),
  /** Whether bodies may, or must, be sealed beyond the server, to somebody of the socket's directory. */
  endToEnd: endToEndMode,
  /** Messages go through `keys`, which gives each its place: they are sealed, or kept for a while. */
  placed: z.boolean(),
  /** What the client sends goes through `keys`: so it is where messages have places, and for whoever may say more than messages. */
  relayed: z.boolean(),
  /** Of the key with which it opens sealed messages; null where they are not sealed, and until `keys` knows. */
  epoch: z.number().int().nonnegative().nullable(),
  /** Counter of the client's first message over this connection. */
  next: z.number().int().nonnegative(),
  /** How long after its connection is lost the session can go on over another one; 0: not at all. */
  resumeMs: z.number().int().nonnegative(),
  /** Null: nothing is asked for again while it lives. */
  stepUp: stepUpClock.nullable(),
});
export type Admitted = z.infer<typeof admitted>;

/** What the edge does next: write `frames` in order, then become a session, or close, or wait until `deadlineMs`. */
export const step = z.strictObject({
  frames: z.array(outgoing).max(8),
  admitted: admitted.nullable(),
  /** Close code of the wire protocol, after the frames; null keeps the connection. */
  close: z.number().int().min(1000).max(4999).nullable(),
  /** The edge closes when this passes without a further step (epoch ms). */
  deadlineMs: epochMs.nullable(),
  /** Nothing of this connection goes anywhere any more, and it is never answered: the edge alone holds it, until `deadlineMs`. */
  silent: z.literal(true).optional(),
});
export type Step = z.infer<typeof step>;

const answer = z.strictObject({ gate: gateName, value: text(4096), at: position.nullable() });
const parameters = z.record(text(64), text(1024));

/** What the machine decided to say; `keys` turns it into frames. */
export const outcome = z.discriminatedUnion("say", [
  z.strictObject({
    say: z.literal("challenge"),
    cid: id,
    options: z
      .array(z.strictObject({ at: position, gate: gateName, prompt: z.record(z.string(), z.unknown()).nullable() }))
      .max(32),
    attemptsLeft: z.number().int().nonnegative(),
    answerByMs: epochMs,
    retry: z.boolean(),
    deadlineMs: epochMs,
  }),
  z.strictObject({
    say: z.literal("wait"),
    cid: id,
    at: position,
    gate: gateName,
    prompt: z.record(text(32), z.union([text(128), z.number().int()])),
    status: z.enum(["queued", "sent", "delayed", "failed", "refused"]),
    resendAtMs: epochMs.nullable(),
    attemptsLeft: z.number().int().nonnegative(),
    answerByMs: epochMs,
    retry: z.boolean(),
    deadlineMs: epochMs,
  }),
  z.strictObject({
    say: z.literal("accepted"),
    admitted,
    /** All gates passed, in order. */
    gates: z.array(gateName),
    /** `gates`: those of them that only this member can pass. */
    assurance: z.strictObject({ key: z.boolean(), memberBound: z.boolean(), gates: z.array(gateName) }),
    policyHash: bytes(32),
    /** What is kept of the messages for who was away. */
    history: z.strictObject({ messages: z.number().int().positive(), ms: z.number().int().positive() }).nullable(),
    /** The session is of a decoy of this socket: `keys` keeps it, and all that is said in it, apart from everything real. */
    decoy: z.strictObject({ of: id }).optional(),
    /** The socket has decoys: how long its messages are, and how far apart, is noted for them. */
    imitated: z.literal(true).optional(),
  }),
  z.strictObject({
    say: z.literal("denied"),
    /** Seconds the client may be told to wait, as milliseconds; null says nothing. */
    retryAfterMs: epochMs.nullable(),
    /** False where the client has proven nothing: it then gets the same bare frame as for a path that does not exist. */
    sealed: z.boolean(),
    /** Of a handshake that was come back to: its time is over, or it was begun elsewhere. Nobody was judged, and the client may begin anew. */
    anew: z.literal(true).optional(),
  }),
  /** In the place of `accepted`, where a session was asked for more while it lived. */
  z.strictObject({
    say: z.literal("stepped-up"),
    gates: z.array(gateName),
    assurance: z.strictObject({ memberBound: z.boolean(), gates: z.array(gateName) }),
    atMs: epochMs,
    /** Of a class of messages; null: of nothing. */
    untilMs: epochMs.nullable(),
  }),
  /** Never again. What the client sends from now on is looked at by nobody. */
  z.strictObject({ say: z.literal("silent"), deadlineMs: epochMs }),
  /** Offered mode after an offer that was not enough: silence, so that a guesser learns nothing. Likewise what is no answer. */
  z.strictObject({ say: z.literal("nothing"), deadlineMs: epochMs }),
]);
export type Outcome = z.infer<typeof outcome>;

export const serverBundle = request({
  name: "keys.bundle",
  server: "keys",
  callers: ["edge"],
  request: empty,
  reply: z.strictObject({
    /** The JSON bytes that are signed, hashed and sent. */
    bundle: bytes(4096),
    signature: bytes(64),
    kid: id,
    expiresAtMs: epochMs,
    /** Route of `keys.handshake.open`: only this replica holds the secret keys. */
    replica: id,
  }),
  idempotency: "reads only; any replica answers with its own current bundle",
  replay: "harmless",
});

export const handshakeOpen = request({
  name: "keys.handshake.open",
  server: "keys",
  callers: ["edge"],
  routed: true,
  request: z.strictObject({
    kid: id,
    hid: handshakeId,
    nonce: bytes(32),
    /** The text frame as received. */
    open: bytes(16_384),
    connection,
  }),
  reply: step,
  idempotency: "by hid and the bytes of `open`: repeated, the stored step; other bytes under the same hid are refused",
  replay: "harmless",
});

export const handshakeRecord = request({
  name: "keys.handshake.record",
  server: "keys",
  callers: ["edge"],
  request: z.strictObject({ hid: handshakeId, record: bytes(8237) }),
  reply: step,
  idempotency: "by hid, record counter and bytes: the last record repeated gets the stored step",
  replay: "harmless",
});

export const identityOpen = request({
  name: "identity.handshake.open",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({
    hid: handshakeId,
    /** SHA-256 of the client's frame, base64url: nobody else's box may go on with what this one has proven. */
    opening: text(43),
    connection,
    /** False: the box did not open, or what it says of the destination disagrees. Still asked, so that it is counted and looks the same. */
    opened: z.boolean(),
    /** Under which suite it was sealed: the policy may not take every one. */
    suite: z.enum(["647a", "0020"]),
    /** The `id` that the client named in the box. */
    claimedId: text(128).nullable(),
    /** `canary`: one that the owner has planted; nobody who may come in has it. */
    key: z.strictObject({ keyId: id, socketId: id, role: keyRole, canary: z.literal(true).optional() }).nullable(),
    /** The handshake that goes on with this connection: the client has proven that it is the same. */
    parked: handshakeId.nullable(),
    /** Likewise the session, and the counter of the client's next message. */
    resumed: z.strictObject({ sid: id, next: z.number().int().nonnegative() }).nullable(),
    /** Transcript hash of this connection; not secret. */
    transcript: bytes(32),
    answers: z.array(answer).max(16),
    /** For the owner's program. */
    parameters,
    /** A one-time ticket from elsewhere; not looked at where something goes on. */
    ticket: text(128).nullable(),
  }),
  reply: outcome,
  idempotency: "by hid: the same repeated gets the stored outcome; anything else under the same hid is a conflict",
  replay: "harmless",
});

export const identityStep = request({
  name: "identity.handshake.step",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({
    /** The handshake: the id of the connection on which it began. */
    handshake: handshakeId,
    /** Of the connection on which it is now. */
    hid: handshakeId,
    transcript: bytes(32),
    /** The record's number `n`: +1 each. */
    n: z.number().int().positive(),
    /** False: the app key under which the box opened was revoked since. The handshake then ends with this step. */
    keyLive: z.boolean(),
    action: z.discriminatedUnion("do", [
      z.strictObject({ do: z.literal("answer"), cid: id, answer }),
      z.strictObject({ do: z.literal("offer"), answers: z.array(answer).min(1).max(16), parameters }),
      z.strictObject({ do: z.literal("start"), cid: id, gate: gateName, at: position.nullable() }),
      z.strictObject({ do: z.literal("resend"), cid: id }),
      /** `why`: `not-recognised` where a person said that this is not the right server. */
      z.strictObject({ do: z.literal("cancel"), why: z.literal("not-recognised").optional() }),
    ]),
  }),
  reply: outcome,
  idempotency:
    "by hid and n: the same repeated gets the stored outcome; an older n, another action under the same n, or a connection that the handshake has left, is a conflict",
  replay: "harmless",
});

/** The connection of a handshake that had no verdict yet is gone. */
export const handshakeLeft = event({
  name: "identity.handshake.left",
  publishers: ["edge"],
  subscribers: ["identity"],
  shared: true,
  /** `lost`: nobody meant it, and the client may go on elsewhere. */
  event: z.strictObject({ hid: handshakeId, why: z.enum(["closed", "lost", "deadline", "malformed", "limits"]) }),
  delivery: "unordered; if lost, the handshake expires by its own deadline",
});

/** Questions that only their judge can make, for a challenge that is about to be said. */
export const prepareFactors = request({
  name: "factors.prepare",
  server: "factors",
  callers: ["identity"],
  request: z.strictObject({
    hid: handshakeId,
    socketId: id,
    memberId: text(128).nullable(),
    /** Name of the member, as claimed: for gates that ask elsewhere. */
    member: text(128).nullable().optional(),
    transcript: bytes(32),
    /** Of the challenge. */
    cid: id,
    /** Names the network that the connection comes from, and does not tell it: an HMAC. */
    network: text(64),
    /** What this handshake has proven: an app key, and by a gate bound to the member that it is them. What is for the member's eyes needs both. */
    proven: z.strictObject({ key: z.boolean(), memberBound: z.boolean() }),
    items: z
      .array(z.strictObject({ at: position, gate: gateName, config: z.record(z.string(), z.unknown()) }))
      .min(1)
      .max(32),
  }),
  reply: z.strictObject({
    /** One for each item, in order. Null: it cannot be asked now, and is not offered. */
    prompts: z.array(z.record(z.string(), z.unknown()).nullable()).max(32),
  }),
  idempotency: "by cid: the answer to a question that was prepared twice is judged alike",
  replay: "harmless",
});

export const verifyFactors = request({
  name: "factors.verify",
  server: "factors",
  callers: ["identity"],
  request: z.strictObject({
    hid: handshakeId,
    socketId: id,
    memberId: text(128).nullable(),
    /** As of `factors.prepare`. */
    member: text(128).nullable().optional(),
    transcript: bytes(32),
    /** As of `factors.prepare`. */
    network: text(64),
    /** Of the challenge that is answered; null for what was offered. */
    cid: id.nullable(),
    items: z
      .array(
        z.strictObject({
          ref: id,
          gate: gateName,
          config: z.record(z.string(), z.unknown()),
          value: text(4096),
          /** The wait that the answer is for. */
          waitId: id.nullable(),
        }),
      )
      .min(1)
      .max(16),
  }),
  reply: z.strictObject({
    /** One for each item, in order. `cause` is for logs only. */
    results: z.array(z.strictObject({ ref: id, ok: z.boolean(), cause: z.string().max(64).nullable() })),
  }),
  idempotency: "by hid and ref: an answer that used up a code is accepted again for the same hid and ref only",
});
