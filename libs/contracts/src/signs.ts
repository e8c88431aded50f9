/** Signs of members: what the gate `ident` shows them, so that they recognise the server. */
import { z } from "zod";
import { request } from "./contract.ts";
import { empty, epochMs, id, text } from "./fields.ts";
import { memberName } from "./sockets.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const fromIdentity = { server: "factors", callers: ["identity"] } as const;
const aMember = { ownerId: id, socketId: id, name: memberName };
/** Lines of printable ASCII, as `signProblemOf` of `libs/protocol` wants it. */
const art = text(1024);
const ofMember = { socketId: id, member: id };

/** art null: one is made, of the same kind as those among which it is picked. */
export const setSign = request({
  ...fromApi,
  name: "identity.sockets.signs.set",
  request: z.strictObject({ ...aMember, art: art.nullable() }),
  reply: z.strictObject({ art }),
  idempotency: "each call replaces the sign, also by the same one; sessions that stand on the one before end",
});
export const readSign = request({
  ...fromApi,
  name: "identity.sockets.signs.read",
  request: z.strictObject(aMember),
  reply: z.strictObject({ art }),
  idempotency: "reads only; not_found where there is none",
  replay: "harmless",
});
export const removeSign = request({
  ...fromApi,
  name: "identity.sockets.signs.remove",
  request: z.strictObject(aMember),
  reply: empty,
  idempotency: "removing twice is not_found; sessions that stand on it end",
});
/** A token by which the member sets their sign themselves, without the owner seeing it chosen. */
export const inviteSign = request({
  ...fromApi,
  name: "identity.sockets.signs.invite",
  request: z.strictObject(aMember),
  reply: z.strictObject({ token: text(64), expiresAtMs: epochMs }),
  idempotency: "none: each call makes a token; the first sign that is set ends all of them",
});
export const setOwnSign = request({
  ...fromApi,
  name: "identity.signs.set-own",
  request: z.strictObject({ token: text(64), art: art.nullable() }),
  reply: z.strictObject({ art }),
  idempotency: "a token works once; afterwards not_found",
});

export const putSign = request({
  ...fromIdentity,
  name: "factors.signs.put",
  request: z.strictObject({ ...ofMember, art: art.nullable() }),
  reply: z.strictObject({ art }),
  idempotency: "each call replaces the sign and everything among which it is picked",
});
export const getSign = request({
  ...fromIdentity,
  name: "factors.signs.get",
  request: z.strictObject(ofMember),
  reply: z.strictObject({ art: art.nullable() }),
  idempotency: "reads only",
  replay: "harmless",
});
export const forgetSign = request({
  ...fromIdentity,
  name: "factors.signs.forget",
  request: z.strictObject(ofMember),
  reply: z.strictObject({ existed: z.boolean() }),
  idempotency: "forgetting twice is forgetting",
});
