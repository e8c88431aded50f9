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
