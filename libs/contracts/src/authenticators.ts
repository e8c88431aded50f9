import { z } from "zod";
import { request } from "./contract.ts";
import { empty, id, text } from "./fields.ts";

const fromIdentity = { server: "factors", callers: ["identity"] } as const;

/** Whose authenticator: an owner's account, a socket, or a member of a socket. */
export const authenticatorSubject = z.discriminatedUnion("of", [
  z.strictObject({ of: z.literal("owner"), ownerId: id }),
  z.strictObject({ of: z.literal("socket"), socketId: id }),
  z.strictObject({ of: z.literal("member"), socketId: id, member: text(128) }),
]);
export type AuthenticatorSubject = z.infer<typeof authenticatorSubject>;

/**
 * Makes a secret. `active: false` waits for `confirm` (an owner enrolling themselves could lock themselves out with a bad scan);
 * the previous secret stays in force until then.
 */
export const enrolSecret = request({
  ...fromIdentity,
  name: "factors.authenticators.enrol",
  request: z.strictObject({ subject: authenticatorSubject, issuer: text(64), account: text(128), active: z.boolean() }),
  reply: z.strictObject({ uri: text(512) }),
  idempotency: "none: each call makes a new secret",
});
export const confirmSecret = request({
  ...fromIdentity,
  name: "factors.authenticators.confirm",
  request: z.strictObject({ subject: authenticatorSubject, code: text(16) }),
  reply: z.strictObject({ ok: z.boolean() }),
  idempotency: "once; the code's time step is used up",
});
/** Verifies and uses up a code outside a handshake (an owner signing in). */
export const checkCode = request({
  ...fromIdentity,
  name: "factors.authenticators.check",
  request: z.strictObject({ subject: authenticatorSubject, code: text(16), requestId: id }),
  reply: z.strictObject({ ok: z.boolean() }),
  idempotency: "by requestId: the same code is accepted again for the same requestId only",
});
export const forgetSecret = request({
  ...fromIdentity,
  name: "factors.authenticators.forget",
  request: z.strictObject({ subject: authenticatorSubject }),
  reply: z.strictObject({ existed: z.boolean() }),
  idempotency: "forgetting twice is forgetting",
});
/** A socket goes: its own authenticator and all of its members'. */
export const forgetSocketSecrets = request({
  ...fromIdentity,
  name: "factors.authenticators.forget-socket",
  request: z.strictObject({ socketId: id }),
  reply: empty,
  idempotency: "forgetting twice is forgetting",
});
