/** Whom a socket's messages can be sealed to beyond the server: their public statements, which `keys` keeps, and which nobody has to believe it. */
import { z } from "zod";
import { request } from "./contract.ts";
import { empty, epochMs, id, sessionWords, text } from "./fields.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const fromIdentity = { server: "keys", callers: ["identity"] } as const;
const mine = { ownerId: id, socketId: id };

export const directoryView = z.strictObject({
  name: id,
  /** Of the identity that counts: what members pin, and compare with whoever runs the recipient. */
  fingerprint: text(22),
  words: sessionWords,
  /** Identities that led there, itself among them. */
  identities: z.number().int().positive(),
  /** Until then it can be sealed to; null: it has published no prekey. */
  prekeyUntilMs: epochMs.nullable(),
  /** When the identity that counts was published. */
  changedAtMs: epochMs,
});
export type DirectoryView = z.infer<typeof directoryView>;
const entries = z.strictObject({ entries: z.array(directoryView).max(16) });

export const listDirectory = request({
  ...fromApi,
  name: "identity.sockets.directory.list",
  request: z.strictObject(mine),
  reply: entries,
  idempotency: "reads only",
  replay: "harmless",
});
/** A recipient whose identity is lost begins anew under its name; whoever pinned the lost one refuses the new one. */
export const resetDirectory = request({
  ...fromApi,
  name: "identity.sockets.directory.reset",
  request: z.strictObject({ ...mine, name: id }),
  reply: empty,
  idempotency: "not_found for what is not there any more",
});
/**
 * An identity is to be what a name stands for: that is in the socket's book before anybody is told so. Whoever has an app key of role `consumer` can
 * take a name that is free, and whoever has stolen an identity can let theirs follow it: the owner must be able to see it, and by which key.
 */
export const recordIdentity = request({
  name: "identity.directory.record",
  server: "identity",
  callers: ["keys"],
  request: z.strictObject({
    socketId: id,
    /** Session that publishes it: of a consumer or owner, and live. */
    by: id,
    name: id,
    fingerprint: text(22),
    /** Of the identity that it follows; null: the name was nobody's. */
    before: text(22).nullable(),
  }),
  reply: empty,
  idempotency: "recorded as often as it is asked for; forbidden for who is no consumer of the socket",
});
export const readDirectory = request({
  ...fromIdentity,
  name: "keys.directory.read",
  request: z.strictObject({ socketId: id }),
  reply: entries,
  idempotency: "reads only",
  replay: "harmless",
});
/** name null: all of the socket's. */
export const dropDirectory = request({
  ...fromIdentity,
  name: "keys.directory.drop",
  request: z.strictObject({ socketId: id, name: id.nullable() }),
  reply: z.strictObject({ dropped: z.number().int().nonnegative() }),
  idempotency: "what is gone is gone",
});
