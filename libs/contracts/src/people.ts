/** People of a socket beside its owner, and what they decide: what `api` asks of `identity`. `ownerId` is the account of whoever asks, whatever its role. */
import { z } from "zod";
import { approvalDecision, approvalState, pendingMax, peopleMax } from "./approvals.ts";
import { request } from "./contract.ts";
import { email, empty, epochMs, gateName, id, text } from "./fields.ts";

const fromApi = { server: "identity", callers: ["api"] } as const;
const mine = { ownerId: id, socketId: id };

/** `owner`: may everything. `approver`: reads, and lets waiting connections in. `viewer`: reads. */
export const socketRole = z.enum(["owner", "approver", "viewer"]);
export type SocketRole = z.infer<typeof socketRole>;
export const invitedRole = z.enum(["approver", "viewer"]);
export type InvitedRole = z.infer<typeof invitedRole>;

export const personView = z.strictObject({
  id,
  role: socketRole,
  email,
  /** `invited`: has not accepted yet. */
  state: z.enum(["active", "invited"]),
  sinceMs: epochMs,
  /** Of an invitation; null for who has accepted. */
  expiresAtMs: epochMs.nullable(),
});
export type PersonView = z.infer<typeof personView>;

export const invitePerson = request({
  ...fromApi,
  name: "identity.sockets.people.invite",
  request: z.strictObject({ ...mine, email, role: invitedRole }),
  reply: personView,
  idempotency: "by address: once more is another mail with another token, and the one before is good for nothing",
});
export const listPeople = request({
  ...fromApi,
  name: "identity.sockets.people.list",
  request: z.strictObject(mine),
  reply: z.strictObject({ people: z.array(personView).max(2 * peopleMax + 1) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const changePerson = request({
  ...fromApi,
  name: "identity.sockets.people.change",
  request: z.strictObject({ ...mine, personId: id, role: invitedRole }),
  reply: personView,
  idempotency: "the same role again changes nothing",
});
export const removePerson = request({
  ...fromApi,
  name: "identity.sockets.people.remove",
  /** personId null: whoever asks leaves. */
  request: z.strictObject({ ...mine, personId: id.nullable() }),
  reply: empty,
  idempotency: "removing twice is not_found; approvals of theirs that are not decided yet count no more",
  timeoutMs: 12_000,
});

export const acceptInvitation = request({
  ...fromApi,
  name: "identity.invitations.accept",
  request: z.strictObject({ ownerId: id, token: text(128) }),
  reply: z.strictObject({ socketId: id, label: text(63), role: invitedRole }),
  idempotency: "accepted again by the same account while it is of the socket, the same answer",
});

export const pendingApproval = z.strictObject({
  id,
  /** As claimed; null on an anonymous connection. */
  member: text(128).nullable(),
  /** A gate that only this member passes was passed. */
  memberProven: z.boolean(),
  /** Passed so far. */
  gates: z.array(gateName).max(64),
  sinceMs: epochMs,
  untilMs: epochMs,
  given: z.number().int().nonnegative(),
  needed: z.number().int().positive(),
  /** Whoever asks has approved it. */
  mine: z.boolean(),
});
export const listApprovals = request({
  ...fromApi,
  name: "identity.sockets.approvals.list",
  request: z.strictObject(mine),
  reply: z.strictObject({ approvals: z.array(pendingApproval).max(pendingMax) }),
  idempotency: "reads only",
  replay: "harmless",
});
export const decideApproval = request({
  ...fromApi,
  name: "identity.sockets.approvals.decide",
  request: z.strictObject({ ...mine, waitId: id, decision: approvalDecision }),
  reply: z.strictObject({
    state: approvalState.extract(["waiting", "approved", "refused"]),
    given: z.number().int().nonnegative(),
    needed: z.number().int().positive(),
  }),
  idempotency: "by account and what it says: the same again counts once and gets what has become of it",
  timeoutMs: 12_000,
});
