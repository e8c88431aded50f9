/**
 * Messages that `keys` opens, orders and seals: the edge forwards frames that it cannot read, and writes frames that it cannot read.
 */
import { z } from "zod";
import { event, request } from "./contract.ts";
import { bytes, handshakeId, id } from "./fields.ts";
import { stepUpClock } from "./handshake.ts";

/** The longest frame of either direction: header, padded plaintext, tag, signature. */
export const frameBytesMax = 1028 * 1024 + 256;

/** Of one session and one connection, in the order in which the client sent them; the next come when these are answered. */
export const takeMessages = request({
  name: "keys.messages.take",
  server: "keys",
  callers: ["edge"],
  request: z.strictObject({ sid: id, hid: handshakeId, frames: z.array(bytes(frameBytesMax)).min(1).max(64) }),
  reply: z.strictObject({
    /** For this client alone. */
    frames: z.array(bytes(frameBytesMax)).max(1100),
    /** Close code of the wire protocol, after the frames; null keeps the connection. */
    close: z.number().int().min(1000).max(4999).nullable(),
    /** Null: as before. */
    stepUp: stepUpClock.nullable(),
  }),
  idempotency:
    "by the message's counter: repeated, nothing is placed a second time; the last one is said again in its place",
  replay: "harmless",
});

/** A message, or how far the messages have come, for everybody on a socket; the route is the socket's id. */
export const placedMessage = event({
  name: "keys.messages.placed",
  publishers: ["keys"],
  subscribers: ["edge"],
  shared: false,
  routed: true,
  event: z.strictObject({
    /** Of the key under which it is sealed; null: it is not. */
    epoch: z.number().int().nonnegative().nullable(),
    frame: bytes(frameBytesMax),
  }),
  delivery:
    "unordered, also twice or not at all: clients put them in their places and see a gap at the next message or tick",
});

/** Asked by an edge that has heard the first message of an epoch, for those of its sessions that may open it. */
export const groupGrants = request({
  name: "keys.groups.grant",
  server: "keys",
  callers: ["edge"],
  request: z.strictObject({
    socketId: id,
    /** Of the message. It need not be the one that holds by now. */
    epoch: z.number().int().nonnegative(),
    /** The newest of which all these sessions have the key: of what came in between there may be messages on their way. */
    after: z.number().int().nonnegative(),
    sids: z.array(id).min(1).max(256),
  }),
  /** Each sealed for its session, the oldest epoch first; sessions that are over, not this socket's, or came later are left out. */
  reply: z.strictObject({ frames: z.array(z.strictObject({ sid: id, frame: bytes(4096) })) }),
  idempotency: "repeated, fresh records that say the same",
  replay: "harmless",
});
