/** The book of a socket: what `api` asks of `identity` for the owner, and what `identity` has signed by `keys`. */
import { z } from "zod";
import { request } from "./contract.ts";
import { bytes, empty, epochMs, id, text } from "./fields.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const mine = { ownerId: id, socketId: id };

/** What is recorded of a socket. */
export const auditEvents = [
  "accepted",
  "resumed",
  "stepped-up",
  "denied",
  /** Before the policy had a say; summed up, since strangers can bring it about as often as they like. */
  "turned-away",
  "held",
  "released",
  "decoy",
  "session-ended",
  "socket-changed",
  "key-made",
  "key-revoked",
  "member-added",
  "member-changed",
  "member-removed",
  "person-changed",
  "approval-decided",
  "alerted",
] as const;
export const auditEvent = z.enum(auditEvents);
export type AuditEvent = (typeof auditEvents)[number];

/** Of a value in an entry; what is longer is cut. */
export const auditTextMax = 200;
const short = text(auditTextMax);
const blockNumber = z.number().int().nonnegative();
/** SHA-256 in hexadecimal. */
const hash = z.string().regex(/^[0-9a-f]{64}$/);

/** As it stands in a block. Ids only: what they stand for is kept elsewhere, so that a person can be forgotten and the chain still verifies. */
export const auditEntry = z.strictObject({
  atMs: epochMs,
  event: auditEvent,
  cause: short.optional(),
  handshake: short.optional(),
  session: short.optional(),
  member: short.optional(),
  key: short.optional(),
  gate: short.optional(),
  network: short.optional(),
  by: short.optional(),
  count: z.number().int().nonnegative().optional(),
  about: z.record(text(32), z.union([short, z.number()])).optional(),
});
export type AuditEntry = z.infer<typeof auditEntry>;

/** With what its ids stand for; null: nobody, or who was removed. */
export const shownAuditEntry = auditEntry.extend({
  n: blockNumber,
  index: z.number().int().nonnegative(),
  memberName: text(128).nullable(),
  byEmail: text(254).nullable(),
});
export type ShownAuditEntry = z.infer<typeof shownAuditEntry>;

export const auditDays = { min: 7, max: 3650, default: 365 } as const;
const days = z.number().int().min(auditDays.min).max(auditDays.max);

export const listAudit = request({
  ...fromApi,
  name: "identity.audit.list",
  request: z.strictObject({
    ...mine,
    /** The `next` of the page before; null for the first. */
    after: id.nullable(),
    limit: z.number().int().min(1).max(200),
    order: z.enum(["newest", "oldest"]),
    event: auditEvent.nullable(),
  }),
  /** A page may be shorter than asked for, and empty, and not be the last. */
  reply: z.strictObject({ entries: z.array(shownAuditEntry), next: id.nullable(), days }),
  idempotency: "reads only",
  replay: "harmless",
  timeoutMs: 10_000,
});

export const exportAudit = request({
  ...fromApi,
  name: "identity.audit.export",
  /** `after`: number of the last block of the page before; null for the first, whose answer says from where to where it goes. */
  request: z.strictObject({
    ...mine,
    after: blockNumber.nullable(),
    range: z.strictObject({ first: blockNumber, last: blockNumber }).nullable(),
  }),
  reply: z.strictObject({
    /** As they are to be written; behind the last block comes the statement. */
    lines: z.array(text(1_048_576)),
    range: z.strictObject({ first: blockNumber, last: blockNumber }),
    /** Null: that was all. */
    next: blockNumber.nullable(),
  }),
  idempotency: "reads only; the statement is of the time of asking",
  replay: "harmless",
  timeoutMs: 10_000,
});

/** What is wrong with a book, and at which block. */
export const auditProblem = z.strictObject({
  n: blockNumber,
  what: z.enum(["missing", "changed", "not-in-order", "not-ours", "end-missing", "end-differs", "beginning"]),
});
export type AuditProblem = z.infer<typeof auditProblem>;

export const verifyAudit = request({
  ...fromApi,
  name: "identity.audit.verify",
  /** `after`: as with `export`. */
  request: z.strictObject({ ...mine, after: blockNumber.nullable() }),
  reply: z.strictObject({
    /** How many were looked at this time. */
    blocks: z.number().int().nonnegative(),
    from: blockNumber,
    to: blockNumber,
    /** Whether the end is where it was last seen to be; null where that is not known. */
    end: z.literal("known").nullable(),
    problem: auditProblem.nullable(),
    next: blockNumber.nullable(),
  }),
  idempotency: "reads only",
  replay: "harmless",
  timeoutMs: 15_000,
});

export const keepAudit = request({
  ...fromApi,
  name: "identity.audit.keep",
  request: z.strictObject({ ...mine, days }),
  reply: empty,
  idempotency: "the same again changes nothing",
});

/** `keys` signs what it is told: that `identity` says so is what the signature says. */
export const signAudit = request({
  name: "keys.audit.sign",
  server: "keys",
  callers: ["identity"],
  request: z.strictObject({ socket: id, first: blockNumber, last: blockNumber, hash, atMs: epochMs }),
  reply: z.strictObject({ key: bytes(32), sig: bytes(64) }),
  idempotency: "the same statement gets the same signature, until the identity is rotated",
  replay: "harmless",
});
