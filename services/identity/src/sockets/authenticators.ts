import { type AuthenticatorSubject, enrolSecret, forgetSecret, ServiceError } from "@portcullis/contracts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { setMemberAuthenticator } from "./members.ts";
import { setSocketAuthenticator } from "./sockets.ts";

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
  await endSessionsOnOthers(context, subject, current);
  return enrolled;
}

/** The sessions go before the secret does: where that stops half-way, there is still something to remove, and removing again goes on. */
export async function removeAuthenticatorOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const { subject, mark } = await find(context, request);
  await mark(null);
  await endSessionsOnOthers(context, subject, null);
  const { existed } = await context.caller.call(forgetSecret, { subject });
  if (!existed) throw new ServiceError("not_found");
  return {};
}

type Subject = Extract<AuthenticatorSubject, { of: "socket" | "member" }>;

/**
 * Whoever came in with an enrolment that is not the current one goes: that authenticator may have been lost. A handshake that is
 * accepted meanwhile is on the list, or finds its enrolment gone when it looks again.
 */
async function endSessionsOnOthers(context: SocketContext, subject: Subject, current: string | null): Promise<void> {
  await context.revocation.revoke(
    subject.socketId,
    ({ memberId, enrolments }) =>
      (subject.of === "socket" || memberId === subject.member) &&
      enrolments.some(({ of, id }) => of === subject.of && id !== current),
    "kicked",
  );
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
      mark: (enrolment) => setSocketAuthenticator(context, socket.id, enrolment),
    };
  }
  const member = await requireMember(context, socket.id, memberName);
  return {
    subject: { of: "member", socketId: socket.id, member: member.id },
    account: `${memberName.slice(0, 60)}@${socket.body.label}`,
    mark: (enrolment) => setMemberAuthenticator(context, member.id, enrolment),
  };
}
