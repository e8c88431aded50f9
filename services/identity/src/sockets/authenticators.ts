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
  await mark(true);
  return enrolled;
}

export async function removeAuthenticatorOf(context: SocketContext, request: Whose): Promise<Record<string, never>> {
  const { subject, mark } = await find(context, request);
  await mark(false);
  const { existed } = await context.caller.call(forgetSecret, { subject });
  if (!existed) throw new ServiceError("not_found");
  return {};
}

async function find(
  context: SocketContext,
  { memberName, ...who }: Whose,
): Promise<{ subject: AuthenticatorSubject; account: string; mark: (enrolled: boolean) => Promise<void> }> {
  const socket = await requireSocket(context, who);
  if (memberName === null) {
    return {
      subject: { of: "socket", socketId: socket.id },
      account: socket.body.label,
      mark: (enrolled) => setSocketAuthenticator(context, socket.id, enrolled),
    };
  }
  const member = await requireMember(context, socket.id, memberName);
  return {
    subject: { of: "member", socketId: socket.id, member: member.id },
    account: `${memberName.slice(0, 60)}@${socket.body.label}`,
    mark: (enrolled) => setMemberAuthenticator(context, member.id, enrolled),
  };
}
