/** What `api` asks of `identity` about an owner's sockets. Every request names the owner; a socket of somebody else is not_found. */
import { adviceMax } from "@portcullis/policy";
import { z } from "zod";
import { request } from "./contract.ts";
import { email, empty, epochMs, gateName, id, sessionWords, text } from "./fields.ts";
import { keyRole, sessionRole } from "./handshake.ts";
import { socketRole } from "./people.ts";
import { advice } from "./policies.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
export const mine = { ownerId: id, socketId: id };
/** `after`: the `next` of the page before; null for the first. A page may be shorter than asked for. */
const page = { after: id.nullable(), limit: z.number().int().min(1).max(200) };
const next = id.nullable();

export const socketView = z.strictObject({
  id,
  label: text(63),
  /** Of whoever asks. */
  role: socketRole,
  /** Only where it was just set: it is kept as an HMAC. */
  path: text(256).nullable(),
  /** The policy as the owner wrote it. */
  policy: z.record(z.string(), z.unknown()),
  /** What is weaker in it than it may look. */
  advice: z.array(advice).max(adviceMax),
  idParameter: text(32),
  /** Whether its own authenticator is enrolled: without one nobody passes an `otp` of the socket. */
  authenticator: z.boolean(),
  createdAtMs: epochMs,
  updatedAtMs: epochMs,
  version: z.number().int().positive(),
});
export type SocketView = z.infer<typeof socketView>;

const policy = z.record(z.string(), z.unknown());

export const createSocket = request({
  ...fromApi,
  name: "identity.sockets.create",
  /** path null: one is generated (128 bits). */
  request: z.strictObject({
    ownerId: id,
    label: text(63),
    path: text(256).nullable(),
    idParameter: text(32).nullable(),
    policy,
  }),
  reply: socketView,
  idempotency: "label is unique: the second one is a conflict",
});
export const listSockets = request({
  ...fromApi,
  name: "identity.sockets.list",
  request: z.strictObject({ ownerId: id, ...page }),
  reply: z.strictObject({ sockets: z.array(socketView), next }),
  idempotency: "reads only",
  replay: "harmless",
});
export const getSocket = request({
  ...fromApi,
  name: "identity.sockets.get",
  request: z.strictObject(mine),
  reply: socketView,
  idempotency: "reads only",
  replay: "harmless",
});
export const updateSocket = request({
  ...fromApi,
  name: "identity.sockets.update",
  request: z.strictObject({
    ...mine,
    /** The version that was read; conflict when it changed meanwhile. */
    version: z.number().int().positive(),
    /** null keeps; "" generates a new one. */
    path: text(256).nullable(),
    idParameter: text(32).nullable(),
    policy: policy.nullable(),
  }),
  reply: socketView,
  idempotency: "by version",
});
export const deleteSocket = request({
  ...fromApi,
  name: "identity.sockets.delete",
  request: z.strictObject(mine),
  reply: empty,
  idempotency: "deleting twice is not_found; keys, members, authenticators and live sessions go with it",
});

export const appKeyView = z.strictObject({
  keyId: id,
  label: text(64),
  role: keyRole,
  /** Planted by the owner: it opens nothing, and whoever uses it is found out. */
  canary: z.boolean(),
  createdAtMs: epochMs,
  revokedAtMs: epochMs.nullable(),
  lastUsedAtMs: epochMs.nullable(),
});
export const createAppKey = request({
  ...fromApi,
  name: "identity.sockets.app-keys.create",
  /** `consumer`: for the owner's program, which passes no other gate. */
  request: z.strictObject({ ...mine, label: text(64), role: keyRole, canary: z.boolean().optional() }),
  /** `key` is the `pc1.…` string, shown once. */
  reply: z.strictObject({ appKey: appKeyView, key: text(256) }),
  idempotency: "none: each call makes a key",
});
export const listAppKeys = request({
  ...fromApi,
  name: "identity.sockets.app-keys.list",
  request: z.strictObject(mine),
  reply: z.strictObject({ appKeys: z.array(appKeyView) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const revokeAppKey = request({
  ...fromApi,
  name: "identity.sockets.app-keys.revoke",
  request: z.strictObject({ ...mine, keyId: id }),
  reply: z.strictObject({ closed: z.number().int().nonnegative() }),
  idempotency: "revoking twice is revoking",
});

export const memberName = z
  .string()
  .regex(/^[A-Za-z0-9._@+-]{1,128}$/, { error: "allowed: 1 to 128 of A-Z, a-z, 0-9 and . _ @ + -" });
const contacts = z.strictObject({
  email: email.nullable(),
  phone: z
    .string()
    .regex(/^\+[0-9]{6,15}$/)
    .nullable(),
});
export const memberView = z.strictObject({
  name: memberName,
  /** Nobody: planted by the owner, so that whoever comes as them is found out. */
  canary: z.boolean(),
  contacts,
  hasPassphrase: z.boolean(),
  authenticator: z.boolean(),
  /** Whether there is an answer secret: without one nobody passes a `question`. */
  answerSecret: z.boolean(),
  /** Whether there is a passkey at least. */
  passkey: z.boolean(),
  /** Whether there is an answer rule: without one nobody passes a `question` of the kind `rule`. */
  answerRule: z.boolean(),
  sign: z.boolean(),
  createdAtMs: epochMs,
  version: z.number().int().positive(),
});
export type MemberView = z.infer<typeof memberView>;

const aMember = { ...mine, name: memberName };
export const createMember = request({
  ...fromApi,
  name: "identity.sockets.members.create",
  request: z.strictObject({ ...aMember, canary: z.boolean().optional(), contacts, passphrase: text(256).nullable() }),
  reply: memberView,
  idempotency: "name is unique on its socket: the second one is a conflict",
});
export const listMembers = request({
  ...fromApi,
  name: "identity.sockets.members.list",
  request: z.strictObject({ ...mine, ...page }),
  reply: z.strictObject({ members: z.array(memberView), next }),
  idempotency: "reads only",
  replay: "harmless",
});
export const updateMember = request({
  ...fromApi,
  name: "identity.sockets.members.update",
  request: z.strictObject({
    ...aMember,
    version: z.number().int().positive(),
    contacts: contacts.nullable(),
    /** null keeps; "" takes it away. */
    passphrase: text(256).nullable(),
  }),
  reply: memberView,
  idempotency: "by version",
});
export const removeMember = request({
  ...fromApi,
  name: "identity.sockets.members.remove",
  request: z.strictObject(aMember),
  reply: z.strictObject({ closed: z.number().int().nonnegative() }),
  idempotency: "removing twice is not_found",
});

/** memberName null: the socket's own authenticator, whose QR code the owner hands out. */
const whose = { ...mine, memberName: memberName.nullable() };
export const enrolAuthenticator = request({
  ...fromApi,
  name: "identity.sockets.authenticators.enrol",
  request: z.strictObject(whose),
  reply: z.strictObject({ uri: text(512) }),
  idempotency:
    "none: each call replaces the secret, and sessions that stand on the one before end; the uri is shown once",
});
export const removeAuthenticator = request({
  ...fromApi,
  name: "identity.sockets.authenticators.remove",
  request: z.strictObject(whose),
  reply: empty,
  idempotency: "removing twice is not_found; sessions that stand on it end",
});

export const createAnswerSecret = request({
  ...fromApi,
  name: "identity.sockets.answer-secrets.create",
  request: z.strictObject(aMember),
  reply: z.strictObject({ secret: text(64) }),
  idempotency: "none: each call replaces the secret, and sessions that stand on the one before end; it is shown once",
});
export const removeAnswerSecret = request({
  ...fromApi,
  name: "identity.sockets.answer-secrets.remove",
  request: z.strictObject(aMember),
  reply: empty,
  idempotency: "removing twice is not_found; sessions that stand on it end",
});

export const setMemberAnswerRule = request({
  ...fromApi,
  name: "identity.sockets.answer-rules.set",
  /** `rule` null: one is made. */
  request: z.strictObject({ ...aMember, rule: text(128).nullable() }),
  reply: z.strictObject({ rule: text(128) }),
  idempotency: "each call replaces the rule, and sessions that stand on the one before end; it is shown once",
});
export const removeAnswerRule = request({
  ...fromApi,
  name: "identity.sockets.answer-rules.remove",
  request: z.strictObject(aMember),
  reply: empty,
  idempotency: "removing twice is not_found; sessions that stand on it end",
});

/** What came with the URL: the path behind the socket's own, and the query, as received. */
export const sessionContext = z.strictObject({ rest: text(2048), query: text(2048) });
/** What the owner, their people and their programs are shown of a session. */
export const sessionFacts = z.strictObject({
  member: text(128).nullable(),
  role: sessionRole,
  gates: z.array(gateName).max(64),
  /** `gates`: those that only this member can pass. */
  assurance: z.strictObject({ key: z.boolean(), memberBound: z.boolean(), gates: z.array(gateName).max(64) }),
  context: sessionContext,
  parameters: z.record(text(64), text(1024)),
  acceptedAtMs: epochMs,
  expiresAtMs: epochMs,
  /** When it last passed what was asked for again; null: never. */
  steppedUpAtMs: epochMs.nullable(),
});
export type SessionFacts = z.infer<typeof sessionFacts>;
export const liveSession = sessionFacts.extend({
  sid: id,
  keyId: id.nullable(),
  edge: text(32),
  /** For the owner alone. Null: for others, and where they cannot be had at the moment. */
  words: sessionWords.nullable(),
});
export const listLiveSessions = request({
  ...fromApi,
  name: "identity.sockets.sessions.list",
  request: z.strictObject({ ...mine, ...page }),
  reply: z.strictObject({ sessions: z.array(liveSession), next }),
  idempotency: "reads only",
  replay: "harmless",
});
export const kickSession = request({
  ...fromApi,
  name: "identity.sockets.sessions.kick",
  request: z.strictObject({ ...mine, sid: id }),
  reply: empty,
  idempotency: "kicking twice is not_found",
});
