/** What `api` asks of `identity` on behalf of an owner. Secrets in here travel under the service seal like everything else. */
import { z } from "zod";
import { request } from "./contract.ts";
import { address, email, empty, epochMs, id, text } from "./fields.ts";

const password = text(256);
/** Six digits from an authenticator, or a recovery code. */
const secondFactor = z.strictObject({ kind: z.enum(["code", "recovery"]), value: text(64) });
const fromApi = { server: "identity", callers: ["api"] } as const;

export const caller = z.strictObject({
  ownerId: id,
  email,
  emailVerified: z.boolean(),
  secondFactor: z.boolean(),
  /** The web session or API token that was presented. */
  credential: z.strictObject({ kind: z.enum(["session", "token"]), id }),
});
export type Caller = z.infer<typeof caller>;

export const signUp = request({
  ...fromApi,
  name: "identity.accounts.sign-up",
  request: z.strictObject({
    email,
    password,
    bootstrapToken: text(128).nullable(),
    invitationToken: text(128).nullable(),
    address,
  }),
  reply: empty,
  idempotency: "an address that has an account gets the same answer, and a mail that says so",
});

export const signIn = request({
  ...fromApi,
  name: "identity.accounts.sign-in",
  request: z.strictObject({ email, password, secondFactor: secondFactor.nullable(), address, userAgent: text(256) }),
  reply: z.strictObject({ secret: text(128), sessionId: id, expiresAtMs: epochMs }),
  idempotency: "none: each success is a new web session, each failure is counted",
});

export const authenticate = request({
  ...fromApi,
  name: "identity.accounts.authenticate",
  request: z.strictObject({ kind: z.enum(["session", "token"]), secret: text(128) }),
  reply: caller,
  idempotency: "reads only",
  replay: "harmless",
});

export const signOut = request({
  ...fromApi,
  name: "identity.accounts.sign-out",
  request: z.strictObject({ ownerId: id, sessionId: id }),
  reply: empty,
  idempotency: "signing out twice is signing out",
});

export const webSession = z.strictObject({
  id,
  createdAtMs: epochMs,
  lastSeenAtMs: epochMs,
  expiresAtMs: epochMs,
  userAgent: text(256),
  address,
});
export const listWebSessions = request({
  ...fromApi,
  name: "identity.accounts.sessions.list",
  request: z.strictObject({ ownerId: id }),
  reply: z.strictObject({ sessions: z.array(webSession) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const revokeWebSession = request({
  ...fromApi,
  name: "identity.accounts.sessions.revoke",
  request: z.strictObject({ ownerId: id, sessionId: id }),
  reply: empty,
  idempotency: "revoking twice is not_found",
});

export const apiToken = z.strictObject({
  id,
  label: text(64),
  /** Planted by the owner: it is never right, and whoever uses it is found out. */
  canary: z.boolean(),
  createdAtMs: epochMs,
  expiresAtMs: epochMs,
  lastUsedAtMs: epochMs.nullable(),
});
export const createApiToken = request({
  ...fromApi,
  name: "identity.accounts.tokens.create",
  /** expiresAtMs null: after 90 days. */
  request: z.strictObject({
    ownerId: id,
    password,
    secondFactor: secondFactor.nullable(),
    label: text(64),
    canary: z.boolean().optional(),
    expiresAtMs: epochMs.nullable(),
  }),
  reply: z.strictObject({ token: apiToken, secret: text(128) }),
  idempotency: "none: each call makes a token; the secret is shown once",
});
export const listApiTokens = request({
  ...fromApi,
  name: "identity.accounts.tokens.list",
  request: z.strictObject({ ownerId: id }),
  reply: z.strictObject({ tokens: z.array(apiToken) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const revokeApiToken = request({
  ...fromApi,
  name: "identity.accounts.tokens.revoke",
  request: z.strictObject({ ownerId: id, tokenId: id }),
  reply: empty,
  idempotency: "revoking twice is not_found",
});

export const beginOwnerAuthenticator = request({
  ...fromApi,
  name: "identity.accounts.authenticator.begin",
  request: z.strictObject({ ownerId: id, password }),
  reply: z.strictObject({ uri: text(512) }),
  idempotency: "starting again replaces an enrolment that was not confirmed; conflict where one is active",
});
export const confirmOwnerAuthenticator = request({
  ...fromApi,
  name: "identity.accounts.authenticator.confirm",
  request: z.strictObject({ ownerId: id, code: text(16), keepSessionId: id }),
  reply: z.strictObject({ recoveryCodes: z.array(text(32)) }),
  idempotency: "once; recovery codes are shown once; all other web sessions and mailed resets end",
});
export const removeOwnerAuthenticator = request({
  ...fromApi,
  name: "identity.accounts.authenticator.remove",
  request: z.strictObject({ ownerId: id, password, secondFactor }),
  reply: empty,
  idempotency: "removing twice is not_found",
});
export const renewRecoveryCodes = request({
  ...fromApi,
  name: "identity.accounts.recovery-codes.renew",
  request: z.strictObject({ ownerId: id, password, code: text(16) }),
  reply: z.strictObject({ recoveryCodes: z.array(text(32)) }),
  idempotency: "none: each call replaces all codes",
});

export const changePassword = request({
  ...fromApi,
  name: "identity.accounts.password.change",
  request: z.strictObject({
    ownerId: id,
    current: password,
    next: password,
    secondFactor: secondFactor.nullable(),
    keepSessionId: id.nullable(),
  }),
  reply: empty,
  idempotency: "once; all other web sessions end",
});
export const forgotPassword = request({
  ...fromApi,
  name: "identity.accounts.password.forgot",
  request: z.strictObject({ email, address }),
  reply: empty,
  idempotency: "the same answer whether or not there is such an account; within a minute no second mail",
});
export const resetPassword = request({
  ...fromApi,
  name: "identity.accounts.password.reset",
  request: z.strictObject({ token: text(128), next: password, secondFactor: secondFactor.nullable() }),
  reply: empty,
  idempotency: "once; a wrong second factor does not use the token up",
});
export const verifyEmail = request({
  ...fromApi,
  name: "identity.accounts.email.verify",
  request: z.strictObject({ ownerId: id, token: text(128) }),
  reply: empty,
  idempotency: "verifying twice is verifying",
});
export const resendVerification = request({
  ...fromApi,
  name: "identity.accounts.email.resend",
  request: z.strictObject({ ownerId: id }),
  reply: empty,
  idempotency: "within a minute no second mail",
});

/** `notify` asks for the text of a mail when it sends it: the job only holds the id. */
export const composeMail = request({
  name: "identity.mail.compose",
  server: "identity",
  callers: ["notify"],
  request: z.strictObject({ mailId: id }),
  /** Null: nothing to send any more (done, expired, account gone). */
  reply: z.strictObject({ mail: z.strictObject({ to: email, subject: text(200), text: text(4096) }).nullable() }),
  idempotency: "reads only; composing again gives the same text",
  replay: "harmless",
});
