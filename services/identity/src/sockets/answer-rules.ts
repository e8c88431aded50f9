import { forgetAnswerRule, ServiceError, setAnswerRule } from "@portcullis/contracts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers } from "./enrolments.ts";
import { setMemberEnrolment } from "./members.ts";

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly name: string;
}

/** As `needs` of the question's kind has it. */
const gate = "rule";

export async function setAnswerRuleOf(
  context: SocketContext,
  request: Whose & { readonly rule: string | null },
): Promise<{ rule: string }> {
  const socket = await requireSocket(context, request);
  const member = await requireMember(context, socket.id, request.name);
  const kept = await context.caller.call(setAnswerRule, {
    socketId: socket.id,
    member: member.id,
    rule: request.rule,
  });
  // Only now: a mark without a rule would ask for what nobody can answer.
  const current = context.ids.id();
  await setMemberEnrolment(context, member.id, gate, current);
  await endSessionsOnOthers(context, { gate, socketId: socket.id, memberId: member.id }, current);
  return kept;
}

/** The sessions go before the rule does: where that stops half-way, removing again goes on. */
export async function removeAnswerRuleOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const member = await requireMember(context, socket.id, request.name);
  await setMemberEnrolment(context, member.id, gate, null);
  await endSessionsOnOthers(context, { gate, socketId: socket.id, memberId: member.id }, null);
  const { existed } = await context.caller.call(forgetAnswerRule, { socketId: socket.id, member: member.id });
  if (!existed) throw new ServiceError("not_found");
  return {};
}
