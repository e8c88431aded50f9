import { type AuthenticatorSubject, enrolSecret, forgetSecret, ServiceError } from "@portcullis/contracts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers } from "./enrolments.ts";
import { setMemberEnrolment } from "./members.ts";
import { setSocketEnrolment } from "./sockets.ts";

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly memberName: string | null;
}

export async function enrolAuthenticatorOf(context: SocketContext, request: Whose): Promise<{ uri: string }> {
  const { subject, account, mark } = await find(context, request);
  const enrolled = await context.caller.call(enrolSecret, { subject, issuer: "Portcullis", account, active: true });
  // Only now: a mark without a secret would lock the member out, a secret without a mark asks for nothing.
  const current = context.ids.id();
  await mark(current);
  await endSessionsOnOthers(context, standingOn(subject), current);
  return enrolled;
}

/** The sessions go before the secret does: where that stops half-way, there is still something to remove, and removing again goes on. */
export async function removeAuthenticatorOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const { subject, mark } = await find(context, request);
  await mark(null);
  await endSessionsOnOthers(context, standingOn(subject), null);
  const { existed } = await context.caller.call(forgetSecret, { subject });
  if (!existed) throw new ServiceError("not_found");
  return {};
}

type Subject = Extract<AuthenticatorSubject, { of: "socket" | "member" }>;

function standingOn(subject: Subject) {
  const memberId = subject.of === "member" ? subject.member : null;
  return { gate: "otp", socketId: subject.socketId, memberId };
}

interface Found {
  readonly subject: Subject;
  readonly account: string;
  readonly mark: (enrolment: string | null) => Promise<void>;
}

async function find(context: SocketContext, { memberName, ...who }: Whose): Promise<Found> {
  const socket = await requireSocket(context, who);
  if (memberName === null) {
    return {
      subject: { of: "socket", socketId: socket.id },
      account: socket.body.label,
      mark: (enrolment) => setSocketEnrolment(context, socket.id, "otp", enrolment),
    };
  }
  const member = await requireMember(context, socket.id, memberName);
  return {
    subject: { of: "member", socketId: socket.id, member: member.id },
    account: `${memberName.slice(0, 60)}@${socket.body.label}`,
    mark: (enrolment) => setMemberEnrolment(context, member.id, "otp", enrolment),
  };
}
