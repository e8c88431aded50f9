/**
 * What passes between members and the owner's program. `keys` chooses who gets a message, seals it for them, and hands it to the edge
 * that holds them; what a consumer asks for is decided by `identity`, whose the sessions are.
 */
import { z } from "zod";
import { event, request } from "./contract.ts";
import { bytes, handshakeId, id } from "./fields.ts";
import { frameBytesMax } from "./messages.ts";
import { sessionFacts } from "./sockets.ts";

/** A frame for one session; the route is the edge that holds it. */
export const deliverToSession = request({
  name: "edge.sessions.deliver",
  server: "edge",
  callers: ["keys"],
  routed: true,
  request: z.strictObject({
    sid: id,
    hid: handshakeId,
    /** Names what is in the frame, however often it is sealed. Null: it may come twice. */
    ref: id.nullable(),
    frame: bytes(frameBytesMax),
  }),
  /** False: it is not there, on that connection. */
  reply: z.strictObject({ taken: z.boolean() }),
  idempotency: "by `ref`, for the last thousand of a connection: what was written is not written again",
  replay: "harmless",
  timeoutMs: 2_000,
});

/** A connection of a session stands and gets what is said to it, or is gone and had handed on what its client said. */
export const sessionPresence = event({
  name: "keys.sessions.presence",
  publishers: ["edge"],
  subscribers: ["keys"],
  shared: true,
  event: z.strictObject({ sid: id, socketId: id, hid: handshakeId, is: z.enum(["here", "gone"]) }),
  delivery: "unordered; if lost, consumers hear of the session with its first message, or not that it went",
});

/** Who is behind a session, for a consumer of the same socket. */
export const aboutSession = request({
  name: "identity.sessions.about",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({ socketId: id, sid: id }),
  /** Null: no such session on this socket. */
  reply: z.strictObject({
    about: sessionFacts.extend({ memberProven: z.boolean() }).nullable(),
  }),
  idempotency: "reads only",
  replay: "harmless",
});

/** A consumer puts a member out. */
export const kickMember = request({
  name: "identity.sessions.kick",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({
    socketId: id,
    /** The consumer, which has to be one, and live. */
    by: id,
    sid: id,
  }),
  reply: z.strictObject({}),
  idempotency:
    "afterwards there is no such member's session on this socket, also where there was none before; forbidden for who is no consumer of it",
});
