import { z } from "zod";
import { event, request } from "./contract.ts";
import { bytes, handshakeId, id, sessionWords, text } from "./fields.ts";

/** Why a session is over; the client reads it in the sealed `revoked`. */
export const farewellReason = z.enum([
  "kicked",
  "key-revoked",
  "member-removed",
  "socket-deleted",
  "policy-changed",
  "expired",
  "step-up",
]);
export type FarewellReason = z.infer<typeof farewellReason>;

/** Name of the close code that goes with it. Whoever was not put out themselves may come back, through the gates. */
export function closeNameOf(why: FarewellReason): "session-expired" | "revoked" {
  return why === "policy-changed" || why === "expired" || why === "step-up" ? "session-expired" : "revoked";
}

export const checkSessions = request({
  name: "identity.sessions.check",
  server: "identity",
  callers: ["edge"],
  request: z.strictObject({
    /** Who asks, and thereby shows that it is there; and how often it does. */
    edge: id,
    everyMs: z.number().int().positive(),
    /** What it holds, and on which connections. */
    held: z.array(z.strictObject({ sid: id, hid: handshakeId })).max(1000),
  }),
  reply: z.strictObject({
    gone: z.array(z.strictObject({ sid: id, why: farewellReason })),
    /** Connections whose session has gone on over another one. */
    replaced: z.array(handshakeId),
  }),
  idempotency:
    "reads only. Edges ask at intervals and after each reconnect: a `close` or a `displace` that was lost is noticed here",
  replay: "harmless",
});

export const sessionEnded = event({
  name: "identity.sessions.ended",
  publishers: ["edge"],
  subscribers: ["identity"],
  shared: true,
  event: z.strictObject({
    sid: id,
    socketId: id,
    /** The connection: a session may be on another one by now. */
    hid: handshakeId,
    /** `lost`: the client may be on its way to another edge. */
    why: z.enum(["left", "lost"]),
  }),
  delivery: "unordered; if lost, the session leaves the list when it expires",
});

/** The app key was revoked while its handshake was being accepted: the session must not stay. */
export const sessionAbandoned = event({
  name: "identity.sessions.abandoned",
  publishers: ["keys"],
  subscribers: ["identity"],
  shared: true,
  event: z.strictObject({ sid: id, socketId: id }),
  delivery: "unordered; if lost, an entry without a connection stays listed until it expires",
});

export const sealFarewells = request({
  name: "keys.sessions.farewell",
  server: "keys",
  callers: ["identity"],
  request: z.strictObject({ sids: z.array(id).min(1).max(256), what: farewellReason }),
  /** Sessions whose keys are already gone are left out. */
  reply: z.strictObject({ frames: z.array(z.strictObject({ sid: id, frame: bytes(4096) })) }),
  idempotency: "repeated, a fresh record that says the same",
});

/** Asked for the owner, who compares them with what the member reads. They open nothing: they show that nobody sits between. */
export const readSessionWords = request({
  name: "keys.sessions.words",
  server: "keys",
  callers: ["identity"],
  request: z.strictObject({ socketId: id, sids: z.array(id).max(200) }),
  /** Those that live, on this socket. */
  reply: z.strictObject({ words: z.array(z.strictObject({ sid: id, words: sessionWords })) }),
  idempotency: "reads only",
  replay: "harmless",
});

/**
 * Asked by the edge that holds a session whose time has come, so that its client reads under seal why it is closed. `keys` knows
 * the time itself: an edge cannot have anything else said, nor this any earlier.
 */
export const sealExpiries = request({
  name: "keys.sessions.expiry",
  server: "keys",
  callers: ["edge"],
  request: z.strictObject({ sids: z.array(id).min(1).max(256) }),
  /** Sessions that have not expired, or whose keys are already gone, are left out. */
  reply: z.strictObject({ frames: z.array(z.strictObject({ sid: id, frame: bytes(4096) })) }),
  idempotency: "the keys go with the first answer; repeated, the session is left out and is closed without the word",
});

/** To every edge: whoever holds this session writes the sealed frame and closes. */
export const closeSession = event({
  name: "edge.sessions.close",
  publishers: ["identity"],
  subscribers: ["edge"],
  shared: false,
  event: z.strictObject({
    sid: id,
    socketId: id,
    frame: bytes(4096).nullable(),
    closeCode: z.number().int().min(4000).max(4999),
  }),
  delivery:
    "unordered; an edge remembers it for a minute in case the accept arrives later; a loss is noticed by `identity.sessions.check`",
});

/** An unsealed message for everybody accepted on a socket; the route is the socket's id. */
export const socketMessage = event({
  name: "edge.messages",
  publishers: ["edge", "keys"],
  subscribers: ["edge"],
  shared: false,
  routed: true,
  event: z.strictObject({
    sid: id,
    member: text(128).nullable(),
    /** The sender's counter, from 0. */
    seq: z.number().int().nonnegative(),
    msgid: id,
    body: bytes(1_048_576),
  }),
  delivery:
    "in order per sender (one edge, or one question to `keys` at a time; one subject); receivers see a gap in `seq`",
});

/** A session goes on over another connection: whoever holds this one closes it. */
export const displaceConnection = event({
  name: "edge.connections.displace",
  publishers: ["identity"],
  subscribers: ["edge"],
  shared: false,
  routed: true,
  event: z.strictObject({ hid: handshakeId }),
  delivery:
    "unordered; if lost, the connection stays until it sends something, which `keys` then refuses, or is found dead",
});
