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
  const { subject, socketId, account, mark } = await find(context, request);
  const enrolled = await context.caller.call(enrolSecret, { subject, issuer: "Portcullis", account, active: true });
  // Only now: a mark without a secret would lock the member out, a secret without a mark asks for nothing.
  const before = await mark(context.ids.id());
  await endSessionsOn(context, socketId, before);
  return enrolled;
}

export async function removeAuthenticatorOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const { subject, socketId, mark } = await find(context, request);
  const before = await mark(null);
  const { existed } = await context.caller.call(forgetSecret, { subject });
  await endSessionsOn(context, socketId, before);
  if (!existed) throw new ServiceError("not_found");
  return {};
}

/**
 * Whoever came in with an authenticator that is none any more goes: it may have been lost. A handshake that is accepted meanwhile
 * is on the list, or finds the enrolment gone when it looks again.
 */
async function endSessionsOn(context: SocketContext, socketId: string, enrolment: string | null): Promise<void> {
  if (enrolment === null) return;
  await context.revocation.revoke(socketId, ({ enrolments }) => enrolments.includes(enrolment), "kicked");
}

interface Found {
  readonly subject: AuthenticatorSubject;
  readonly socketId: string;
  readonly account: string;
  /** @returns the enrolment before. */
  readonly mark: (enrolment: string | null) => Promise<string | null>;
}

async function find(context: SocketContext, { memberName, ...who }: Whose): Promise<Found> {
  const socket = await requireSocket(context, who);
  if (memberName === null) {
    return {
      subject: { of: "socket", socketId: socket.id },
      socketId: socket.id,
      account: socket.body.label,
      mark: (enrolment) => setSocketAuthenticator(context, socket.id, enrolment),
    };
  }
  const member = await requireMember(context, socket.id, memberName);
  return {
    subject: { of: "member", socketId: socket.id, member: member.id },
    socketId: socket.id,
    account: `${memberName.slice(0, 60)}@${socket.body.label}`,
    mark: (enrolment) => setMemberAuthenticator(context, member.id, enrolment),
  };
}
