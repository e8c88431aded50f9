import { forgetAnswerSecret, mintAnswerSecret, ServiceError } from "@portcullis/contracts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers } from "./enrolments.ts";
import { setMemberEnrolment } from "./members.ts";

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly name: string;
}

const gate = "question";

export async function createAnswerSecretOf(context: SocketContext, request: Whose): Promise<{ secret: string }> {
  const socket = await requireSocket(context, request);
  const member = await requireMember(context, socket.id, request.name);
  const minted = await context.caller.call(mintAnswerSecret, { socketId: socket.id, member: member.id });
  // Only now: a mark without a secret would ask for what nobody can answer.
  const current = context.ids.id();
  await setMemberEnrolment(context, member.id, gate, current);
  await endSessionsOnOthers(context, { gate, socketId: socket.id, memberId: member.id }, current);
  return minted;
}

/** The sessions go before the secret does: where that stops half-way, removing again goes on. */
export async function removeAnswerSecretOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const socket = await requireSocket(context, request);
  const member = await requireMember(context, socket.id, request.name);
  await setMemberEnrolment(context, member.id, gate, null);
  await endSessionsOnOthers(context, { gate, socketId: socket.id, memberId: member.id }, null);
  const { existed } = await context.caller.call(forgetAnswerSecret, { socketId: socket.id, member: member.id });
  if (!existed) throw new ServiceError("not_found");
  return {};
}
