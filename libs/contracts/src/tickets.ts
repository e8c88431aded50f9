import { z } from "zod";
import { request } from "./contract.ts";
import { address, epochMs, id, text } from "./fields.ts";
import { sessionRole } from "./handshake.ts";
import { passkeyResponse } from "./passkeys.ts";
import { relyingParty } from "./relying-party.ts";
import { memberName } from "./sockets.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;

/** `pt1.` and base64url of 32 random bytes. */
const ticket = z.string().regex(/^pt1\.[A-Za-z0-9_-]{43}$/);

export const mintTicket = request({
  ...fromApi,
  name: "identity.tickets.mint",
  request: z.strictObject({
    ownerId: id,
    socketId: id,
    /** With the role `member`: for whom; null: for nobody in particular. With another role: null. */
    member: memberName.nullable(),
    role: sessionRole,
  }),
  reply: z.strictObject({
    ticket,
    expiresAtMs: epochMs,
    label: text(63),
    idParameter: text(32),
    /** Of the server's identity: a client without an app key pins it. */
    fingerprint: text(64),
  }),
  idempotency: "none: each call makes a ticket, which ends by itself within a minute",
});

/** Who somebody says they are, and where. */
const claimed = {
  label: text(63),
  /** As in a connection: the socket's, and what may follow. A secret. */
  path: text(2048),
  name: text(128),
  address,
};
/** Origin of the page that is to be gone on to. */
const returnOrigin = text(256).nullable();
const exchanged = z.strictObject({
  ticket,
  expiresAtMs: epochMs,
  idParameter: text(32),
  /** The policy names that origin. */
  mayReturn: z.boolean(),
});

/** A member's passphrase for a ticket. Whatever is wrong is one `unauthenticated`, after the same work. */
export const exchangePassphrase = request({
  ...fromApi,
  name: "identity.tickets.exchange",
  request: z.strictObject({ ...claimed, passphrase: text(256), returnOrigin }),
  reply: exchanged,
  idempotency: "none: each success is a ticket, each failure is counted",
});

/** A challenge for a member's passkey, for whomever and wherever: nothing is looked up. */
export const beginPasskeyTicket = request({
  ...fromApi,
  name: "identity.tickets.passkey.begin",
  /** relyingParty: host name of the page that asks. */
  request: z.strictObject({ ...claimed, relyingParty }),
  reply: z.strictObject({ signInId: id, challenge: text(64) }),
  idempotency: "none: each call makes a challenge, which is good for five minutes",
});

/** What a member's passkey signed, for a ticket. Whatever is wrong is one `unauthenticated`, after the same work. */
export const exchangePasskey = request({
  ...fromApi,
  name: "identity.tickets.passkey.exchange",
  /** relyingParty, origin: of the page that asked. */
  request: z.strictObject({
    ...claimed,
    signInId: id,
    relyingParty,
    origin: text(270),
    response: passkeyResponse,
    returnOrigin,
  }),
  reply: exchanged,
  idempotency: "once: each answer ends its challenge; each failure is counted",
});
