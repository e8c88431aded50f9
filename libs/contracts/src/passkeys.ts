/**
 * Passkeys (WebAuthn level 3) belong to `factors`, as all that somebody enrols: public keys, under the vault so that whoever writes to the
 * store cannot give one person's to another. Challenges of registrations live there too; those of sign-ins belong to `identity`.
 */
import { z } from "zod";
import { authenticatorSubject } from "./authenticators.ts";
import { request } from "./contract.ts";
import { bytes, empty, epochMs, id, text } from "./fields.ts";
import { relyingParty } from "./relying-party.ts";
import { memberName } from "./sockets.ts";

/** What a browser made, as JSON (`toJSON()` of its credential). What may stand in it is for the judge to say. */
export const passkeyResponse = z.record(text(64), z.unknown());
const origin = text(270);

export const passkeyView = z.strictObject({
  id,
  label: text(64),
  relyingParty,
  /** Synced between somebody's devices, as far as the device says. */
  synced: z.boolean(),
  createdAtMs: epochMs,
  lastUsedAtMs: epochMs.nullable(),
});
export type PasskeyView = z.infer<typeof passkeyView>;
const registration = z.strictObject({
  registrationId: id,
  /** PublicKeyCredentialCreationOptionsJSON. */
  options: z.record(text(64), z.unknown()),
});

const fromIdentity = { server: "factors", callers: ["identity"] } as const;
const subject = authenticatorSubject;

export const beginPasskey = request({
  ...fromIdentity,
  name: "factors.passkeys.begin",
  request: z.strictObject({ subject, relyingParty, account: text(128) }),
  reply: registration,
  idempotency: "none: each call begins a registration, which ends by itself after five minutes",
});
export const finishPasskey = request({
  ...fromIdentity,
  name: "factors.passkeys.finish",
  request: z.strictObject({ subject, registrationId: id, origin, response: passkeyResponse, label: text(64) }),
  /** Null: the registration is over, or this is no answer to it. */
  reply: z.strictObject({ passkey: passkeyView.nullable() }),
  idempotency: "once: each answer ends its registration",
});
export const readPasskeys = request({
  ...fromIdentity,
  name: "factors.passkeys.read",
  request: z.strictObject({ subject }),
  reply: z.strictObject({ passkeys: z.array(passkeyView).max(16) }),
  idempotency: "reads only",
  replay: "harmless",
});
/** passkeyId null: all of the subject's. */
export const forgetPasskey = request({
  ...fromIdentity,
  name: "factors.passkeys.forget",
  request: z.strictObject({ subject, passkeyId: id.nullable() }),
  reply: z.strictObject({ existed: z.boolean(), left: z.number().int().nonnegative() }),
  idempotency: "forgetting twice is forgetting",
});
/** An owner signs in: whose passkey signed this challenge? */
export const assertPasskey = request({
  ...fromIdentity,
  name: "factors.passkeys.assert",
  request: z.strictObject({
    challenge: bytes(32),
    relyingParty,
    origin,
    response: passkeyResponse,
    requestId: id,
  }),
  /** `passkeyId`: by which one; null where it is nobody's who owns sockets. */
  reply: z.union([
    z.strictObject({ ownerId: id, passkeyId: id }),
    z.strictObject({ ownerId: z.null(), passkeyId: z.null() }),
  ]),
  idempotency: "by requestId: the same answer is accepted again for the same requestId only",
});

/**
 * A member shows who they are before they connect: is this the signature of one of their passkeys? Asked for nobody as well, after the same
 * work: who there is does not show in the time.
 */
export const assertMemberPasskey = request({
  ...fromIdentity,
  name: "factors.passkeys.assert-member",
  request: z.strictObject({
    challenge: bytes(32),
    relyingParty,
    origin,
    response: passkeyResponse,
    /** Whose it must be; null: nobody's. */
    subject: z.strictObject({ of: z.literal("member"), socketId: id, member: text(128) }).nullable(),
    requestId: id,
  }),
  reply: z.strictObject({ isTheirs: z.boolean() }),
  idempotency: "by requestId: the same answer is accepted again for the same requestId only",
});

const fromApi = { server: "identity", callers: ["api"] } as const;
const secondFactor = z.strictObject({ kind: z.enum(["code", "recovery"]), value: text(64) }).nullable();
const password = text(256);

export const beginOwnerPasskey = request({
  ...fromApi,
  name: "identity.accounts.passkeys.begin",
  request: z.strictObject({ ownerId: id, password, secondFactor }),
  reply: registration,
  idempotency: "none: each call begins a registration",
});
export const finishOwnerPasskey = request({
  ...fromApi,
  name: "identity.accounts.passkeys.finish",
  /** origin: of the page, which is the API's own. */
  request: z.strictObject({ ownerId: id, registrationId: id, origin, response: passkeyResponse, label: text(64) }),
  reply: passkeyView,
  idempotency: "once: each answer ends its registration",
});
export const listOwnerPasskeys = request({
  ...fromApi,
  name: "identity.accounts.passkeys.list",
  request: z.strictObject({ ownerId: id }),
  reply: z.strictObject({ passkeys: z.array(passkeyView) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const removeOwnerPasskey = request({
  ...fromApi,
  name: "identity.accounts.passkeys.remove",
  request: z.strictObject({ ownerId: id, passkeyId: id, password, keepSessionId: id }),
  reply: empty,
  idempotency: "removing twice is not_found; all other web sessions end",
});
export const beginPasskeySignIn = request({
  ...fromApi,
  name: "identity.accounts.passkeys.sign-in.begin",
  request: z.strictObject({ address: text(64) }),
  reply: z.strictObject({ signInId: id, challenge: text(64), relyingParty }),
  idempotency: "none: each call makes a challenge, which is good for five minutes",
});
export const finishPasskeySignIn = request({
  ...fromApi,
  name: "identity.accounts.passkeys.sign-in.finish",
  request: z.strictObject({
    signInId: id,
    origin,
    response: passkeyResponse,
    address: text(64),
    userAgent: text(256),
  }),
  reply: z.strictObject({ secret: text(128), sessionId: id, expiresAtMs: epochMs }),
  idempotency: "once: each answer ends its challenge",
});

const aMember = { ownerId: id, socketId: id, name: memberName };
export const beginMemberPasskey = request({
  ...fromApi,
  name: "identity.sockets.passkeys.begin",
  request: z.strictObject({ ...aMember, relyingParty: relyingParty.nullable() }),
  reply: registration,
  idempotency: "none: each call begins a registration",
});
export const finishMemberPasskey = request({
  ...fromApi,
  name: "identity.sockets.passkeys.finish",
  request: z.strictObject({
    ...aMember,
    registrationId: id,
    origin,
    response: passkeyResponse,
    label: text(64),
  }),
  reply: passkeyView,
  idempotency: "once: each answer ends its registration",
});
export const listMemberPasskeys = request({
  ...fromApi,
  name: "identity.sockets.passkeys.list",
  request: z.strictObject(aMember),
  reply: z.strictObject({ passkeys: z.array(passkeyView) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const removeMemberPasskey = request({
  ...fromApi,
  name: "identity.sockets.passkeys.remove",
  request: z.strictObject({ ...aMember, passkeyId: id }),
  reply: empty,
  idempotency: "removing twice is not_found; sessions that came in with any of the member's passkeys end",
});
