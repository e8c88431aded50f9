import { forgetSign, getSign, putSign, ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers } from "./enrolments.ts";
import { setMemberEnrolment } from "./members.ts";
import type { Member } from "./store.ts";

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly name: string;
}

const gate = "ident";

export async function setSignOf(context: SocketContext, request: Whose & { art: string | null }) {
  return replaceSign(context, await memberOf(context, request), request.art);
}

export async function readSignOf(context: SocketContext, request: Whose): Promise<{ art: string }> {
  const { id, body } = await memberOf(context, request);
  const { art } = await context.caller.call(getSign, { socketId: body.socketId, member: id });
  if (art === null || body.enrolments[gate] === undefined) throw new ServiceError("not_found");
  return { art };
}

/** The sessions go before the sign does: where that stops half-way, removing again goes on. */
export async function removeSignOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const { id, body } = await memberOf(context, request);
  await setMemberEnrolment(context, id, gate, null);
  await endSessionsOnOthers(context, { gate, socketId: body.socketId, memberId: id }, null);
  const { existed } = await context.caller.call(forgetSign, { socketId: body.socketId, member: id });
  if (!existed) throw new ServiceError("not_found");
  return {};
}

/** Another sign, and another enrolment: a handshake that shows the one before ends. */
export async function replaceSign(
  context: SocketContext,
  { id, body }: Stored<Member>,
  art: string | null,
): Promise<{ art: string }> {
  const { socketId } = body;
  const stored = await context.caller.call(putSign, { socketId, member: id, art });
  // Only now: a mark without a sign would ask for what nobody can pick.
  const current = context.ids.id();
  await setMemberEnrolment(context, id, gate, current);
  await endSessionsOnOthers(context, { gate, socketId, memberId: id }, current);
  return stored;
}

export async function memberOf(context: SocketContext, request: Whose): Promise<Stored<Member>> {
  const socket = await requireSocket(context, request);
  return requireMember(context, socket.id, request.name);
}
