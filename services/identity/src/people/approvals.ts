import {
  type ApprovalDecision,
  type ApprovalState,
  decideWait,
  listPending,
  type pendingApproval,
  ServiceError,
} from "@portcullis/contracts";
import { deadlineMs, passedOf } from "@portcullis/policy";
import type { z } from "zod";
import { normalEmail, requireOwner } from "../accounts/context.ts";
import { stands } from "../handshake/standing.ts";
import type { Handshake } from "../handshake/store.ts";
import { requireSocket } from "../sockets/context.ts";
import { contactOf } from "../sockets/members.ts";
import type { Mine, PeopleContext } from "./context.ts";
import { approversOf } from "./rights.ts";

type PendingApproval = z.infer<typeof pendingApproval>;

/** Who waits to be let in. Not the number, which only whoever waits can tell. */
export async function listApprovalsOf(context: PeopleContext, who: Mine): Promise<{ approvals: PendingApproval[] }> {
  const socket = await requireSocket(context, who, "approve");
  const approvers = await approversOf(context.store, socket);
  const grant = approvers.find(({ accountId }) => accountId === who.ownerId)?.grant;
  const { pending } = await context.caller.call(listPending, { socketId: socket.id, waitId: null });
  const found = await Promise.all(
    pending.map(async ({ waitId, handshake, sinceMs, untilMs, needed, given }): Promise<PendingApproval[]> => {
      const waiting = await whoWaits(context, handshake, waitId);
      if (waiting === null) return [];
      const { gates, bound } = passedOf(waiting.machine);
      const counted = given.filter((each) => approvers.some((approver) => approver.grant === each));
      return [
        {
          id: waitId,
          member: waiting.member,
          memberProven: bound.length > 0,
          gates,
          sinceMs,
          untilMs,
          given: counted.length,
          needed,
          mine: grant !== undefined && counted.includes(grant),
        },
      ];
    }),
  );
  return { approvals: found.flat() };
}

/**
 * The right is looked at by this request, and the rights of those who approved before by the list that goes with it: nobody's approval counts who
 * may not approve in the moment in which the last one comes. Nothing is decided for who is not there any more.
 */
export async function decideApprovalOf(
  context: PeopleContext,
  { waitId, decision, ...who }: Mine & { waitId: string; decision: ApprovalDecision },
): Promise<{ state: Extract<ApprovalState, "waiting" | "approved" | "refused">; given: number; needed: number }> {
  const socket = await requireSocket(context, who, "approve");
  const { pending } = await context.caller.call(listPending, { socketId: socket.id, waitId });
  const [asked] = pending;
  if (asked === undefined) throw new ServiceError("not_found");
  if (asked.fate === "open") {
    const waiting = await whoWaits(context, asked.handshake, waitId);
    if (waiting === null) throw new ServiceError("not_found");
    if (decision.say === "approve") await refuseOwn(context, who.ownerId, waiting);
  }
  // Read last, so that it is as new as can be; `factors` hears of who is removed after this.
  const approvers = await approversOf(context.store, socket);
  const grant = approvers.find(({ accountId }) => accountId === who.ownerId)?.grant;
  if (grant === undefined) throw new ServiceError("not_found");
  const { state, given, needed } = await context.caller.call(decideWait, {
    socketId: socket.id,
    waitId,
    grant,
    entitled: approvers.map((approver) => approver.grant),
    decision,
  });
  if (state === "gone") throw new ServiceError("not_found");
  if (state === "wrong" || state === "spent") {
    const last = state === "spent" ? ", and there are no more tries" : "";
    const message = `is not the number that the waiting screen shows${last}`;
    throw new ServiceError("invalid", { issues: [{ path: "number", message }] });
  }
  return { state, given, needed };
}

/** Null where nobody waits there any more: let in another way, refused, left, or what the handshake stands on is gone. */
async function whoWaits(context: PeopleContext, handshake: string, waitId: string): Promise<Handshake | null> {
  const found = await context.handshakes.get(handshake);
  if (found === null) return null;
  const { machine } = found.value;
  const byMs = deadlineMs(machine);
  if (machine.waiting?.id !== waitId || byMs === null || context.clock() >= byMs) return null;
  return (await stands(context.store, found.value)) ? found.value : null;
}

/** Who connects as a member is no second person because they have an account as well. Told by the address, which is all that the two have in common. */
async function refuseOwn(context: PeopleContext, accountId: string, { memberId }: Handshake): Promise<void> {
  const member = memberId === null ? null : await context.store.members.get(memberId);
  const theirs = member === null ? null : contactOf(context, member, "email");
  if (theirs === null) return;
  const account = await requireOwner(context.accounts, accountId);
  const own = context.accounts.contacts.open(account.id, account.body.emailSealed);
  if (normalEmail(theirs) !== normalEmail(own)) return;
  throw new ServiceError("forbidden", {
    issues: [{ path: "id", message: "is your own connection: somebody else has to let you in" }],
  });
}
