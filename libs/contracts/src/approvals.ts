/**
 * Waits that people of a socket decide. `factors` has the wait with its number and counts the approvals; who may approve is known to `identity`,
 * which names people by *grants*: an account's right on one socket, another one whenever that right was taken away and given again.
 */
import { z } from "zod";
import { request } from "./contract.ts";
import { empty, epochMs, handshakeId, id, text } from "./fields.ts";
import { waitFate } from "./waits.ts";

const fromIdentity = { server: "factors", callers: ["identity"] } as const;

/** A socket has no more people than that, and no more connections that wait for them. */
export const peopleMax = 50;
export const pendingMax = 100;

const given = z.array(id).max(peopleMax);

export const listPending = request({
  ...fromIdentity,
  name: "factors.approvals.list",
  /** waitId null: all that can be decided; otherwise that one, decided or not. */
  request: z.strictObject({ socketId: id, waitId: id.nullable() }),
  reply: z.strictObject({
    pending: z
      .array(
        z.strictObject({
          waitId: id,
          handshake: handshakeId,
          fate: waitFate,
          sinceMs: epochMs,
          untilMs: epochMs,
          needed: z.number().int().min(1),
          /** Grants under which it was approved so far. */
          given,
        }),
      )
      .max(pendingMax),
  }),
  idempotency: "reads only",
  replay: "harmless",
});

export const approvalDecision = z.discriminatedUnion("say", [
  z.strictObject({ say: z.literal("approve"), number: text(16) }),
  z.strictObject({ say: z.literal("refuse") }),
]);
export type ApprovalDecision = z.infer<typeof approvalDecision>;

/**
 * `waiting`: counted, and others have to approve as well. `wrong`: not the number that the client shows. `gone`: never was, is over, or was decided
 * otherwise; `spent`: this wrong number was the last.
 */
export const approvalState = z.enum(["waiting", "approved", "refused", "wrong", "spent", "gone"]);
export type ApprovalState = z.infer<typeof approvalState>;

export const decideWait = request({
  ...fromIdentity,
  name: "factors.approvals.decide",
  request: z.strictObject({
    socketId: id,
    waitId: id,
    /** Who decides. */
    grant: id,
    /** Grants of everybody who may approve now: nobody else's approval counts, also of those that were given before. */
    entitled: z.array(id).max(peopleMax + 1),
    decision: approvalDecision,
  }),
  reply: z.strictObject({ state: approvalState, given: z.number().int(), needed: z.number().int() }),
  idempotency: "by grant and what it says: the same again counts once and gets what has become of it",
  timeoutMs: 10_000,
});

export const withdrawGrant = request({
  ...fromIdentity,
  name: "factors.approvals.withdraw",
  request: z.strictObject({ socketId: id, grant: id }),
  reply: empty,
  idempotency: "withdrawing twice is withdrawing: nothing under that grant counts from then on, but what was decided",
  replay: "harmless",
  timeoutMs: 10_000,
});
