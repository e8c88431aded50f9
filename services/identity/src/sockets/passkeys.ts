import {
  beginPasskey,
  finishPasskey,
  forgetPasskey,
  readPasskeys,
  requireRelyingParty,
  ServiceError,
} from "@portcullis/contracts";
import { requireMade } from "../accounts/passkeys.ts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers } from "./enrolments.ts";
import { setMemberEnrolment } from "./members.ts";

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly name: string;
}

const gate = "passkey";

/** The member's browser answers; the owner's page brings question and answer to and fro. */
export async function beginMemberPasskeyOf(context: SocketContext, request: Whose & { relyingParty: string | null }) {
  const { subject } = await find(context, request);
  return context.caller.call(beginPasskey, {
    subject,
    relyingParty: request.relyingParty ?? requireRelyingParty(context.relyingParty),
    account: request.name,
  });
}

export async function finishMemberPasskeyOf(
  context: SocketContext,
  request: Whose & {
    registrationId: string;
    origin: string;
    response: Record<string, unknown>;
    label: string;
  },
) {
  const { registrationId, origin, response, label } = request;
  const { subject, memberId, enrolment } = await find(context, request);
  const { passkey } = await context.caller.call(finishPasskey, { subject, registrationId, origin, response, label });
  const made = requireMade(passkey);
  // One more key to the same door: whoever came in by another one stays.
  if (enrolment === undefined) await setMemberEnrolment(context, memberId, gate, context.ids.id());
  return made;
}

export async function listMemberPasskeysOf(context: SocketContext, request: Whose) {
  const { subject } = await find(context, request);
  return context.caller.call(readPasskeys, { subject });
}

/**
 * By which of several somebody came in is not kept: with one, all who came in by any of them go. First it passes nothing any more: a
 * handshake that it has passed already ends with its enrolment.
 */
export async function removeMemberPasskeyOf(
  context: SocketContext,
  request: Whose & { passkeyId: string },
): Promise<Record<string, never>> {
  const { subject, socketId, memberId } = await find(context, request);
  const { existed, left } = await context.caller.call(forgetPasskey, { subject, passkeyId: request.passkeyId });
  // Also where it was gone: removing it may have stopped half-way.
  const current = left === 0 ? null : context.ids.id();
  await setMemberEnrolment(context, memberId, gate, current);
  await endSessionsOnOthers(context, { gate, socketId, memberId }, current);
  if (!existed) throw new ServiceError("not_found");
  return {};
}

async function find(context: SocketContext, { name, ...who }: Whose) {
  const socket = await requireSocket(context, who);
  const member = await requireMember(context, socket.id, name);
  return {
    subject: { of: "member" as const, socketId: socket.id, member: member.id },
    socketId: socket.id,
    memberId: member.id,
    enrolment: member.body.enrolments[gate],
  };
}
