import { z } from "zod";
import { request } from "./contract.ts";
import { address, epochMs, id, text } from "./fields.ts";
import { sessionRole } from "./handshake.ts";
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

/** A member's passphrase for a ticket. Whatever is wrong is one `unauthenticated`, after the same work. */
export const exchangePassphrase = request({
  ...fromApi,
  name: "identity.tickets.exchange",
  request: z.strictObject({
    label: text(63),
    /** As in a connection: the socket's, and what may follow. A secret. */
    path: text(2048),
    name: text(128),
    passphrase: text(256),
    address,
    /** Origin of the page that is to be gone on to. */
    returnOrigin: text(256).nullable(),
  }),
  reply: z.strictObject({
    ticket,
    expiresAtMs: epochMs,
    idParameter: text(32),
    /** The policy names that origin. */
    mayReturn: z.boolean(),
  }),
  idempotency: "none: each success is a ticket, each failure is counted",
});
