import { ServiceError } from "@portcullis/contracts";
import { type AccountContext, normalEmail, requireOwner, updateOwner } from "./context.ts";
import { requireGoodPassword } from "./passwords.ts";
import { requirePassword, requireSecondFactorCounted, type SecondFactor } from "./second-factor.ts";
import { endWebSessions } from "./web-sessions.ts";

const nothing = {};

export async function changePasswordOf(
  context: AccountContext,
  request: {
    ownerId: string;
    current: string;
    next: string;
    secondFactor: SecondFactor | null;
    keepSessionId: string | null;
  },
): Promise<Record<string, never>> {
  const owner = await requirePassword(context, request.ownerId, request.current);
  await setPassword(context, owner.id, request.next, request.secondFactor, request.keepSessionId);
  return nothing;
}

/** Nothing in the answer, nor in what is done before it, tells whether the address has an account; the mail goes as a job. */
export async function forgotPasswordOf(
  context: AccountContext,
  request: { email: string; address: string },
): Promise<Record<string, never>> {
  const account = normalEmail(request.email);
  await context.mailAttempts.require(account, request.address);
  await context.mailAttempts.failed(account, request.address);
  const owner = await context.store.owners.findOne({ emailTag: context.contacts.tag(account) });
  if (owner !== null) await context.mails.send(owner.id, "reset-password");
  return nothing;
}

/** The mailbox alone is not enough where there is a second factor: an owner with one must always use it. */
export async function resetPasswordOf(
  context: AccountContext,
  request: { token: string; next: string; secondFactor: SecondFactor | null },
): Promise<Record<string, never>> {
  const mail = await context.mails.find(request.token, "reset-password");
  if (mail === null)
    throw new ServiceError("invalid", {
      issues: [{ path: "token", message: "is not valid, was used, or has expired" }],
    });
  await setPassword(context, mail.ownerId, request.next, request.secondFactor, null, mail.id);
  // Whoever reads the mailbox has shown that they can: the address is verified by it.
  await updateOwner(context, mail.ownerId, (owner) => ({
    ...owner,
    emailVerifiedAtMs: owner.emailVerifiedAtMs ?? context.clock(),
  }));
  return nothing;
}

async function setPassword(
  context: AccountContext,
  ownerId: string,
  next: string,
  secondFactor: SecondFactor | null,
  keepSessionId: string | null,
  mailId?: string,
): Promise<void> {
  const owner = await requireOwner(context, ownerId);
  requireGoodPassword(next, {
    email: context.contacts.open(owner.id, owner.body.emailSealed),
    secondFactor: owner.body.secondFactor,
  });
  await requireSecondFactorCounted(context, owner, secondFactor);
  if (mailId !== undefined && !(await context.mails.useUp(mailId))) {
    throw new ServiceError("invalid", {
      issues: [{ path: "token", message: "is not valid, was used, or has expired" }],
    });
  }
  const passwordHash = await context.passwords.hash(next);
  await updateOwner(context, owner.id, (body) => ({ ...body, passwordHash }));
  await endWebSessions(context, owner.id, keepSessionId);
  await context.mails.send(owner.id, "password-changed");
}

export async function verifyEmailOf(
  context: AccountContext,
  request: { token: string },
): Promise<Record<string, never>> {
  const mail = await context.mails.find(request.token, "verify-email");
  if (mail === null)
    throw new ServiceError("invalid", { issues: [{ path: "token", message: "is not valid or has expired" }] });
  await updateOwner(context, mail.ownerId, (owner) => ({
    ...owner,
    emailVerifiedAtMs: owner.emailVerifiedAtMs ?? context.clock(),
  }));
  return nothing;
}

export async function resendVerificationOf(
  context: AccountContext,
  request: { ownerId: string },
): Promise<Record<string, never>> {
  const owner = await requireOwner(context, request.ownerId);
  if (owner.body.emailVerifiedAtMs !== null) return nothing;
  await context.mailAttempts.require(`verify ${owner.id}`, "");
  await context.mailAttempts.failed(`verify ${owner.id}`, "");
  await context.mails.send(owner.id, "verify-email");
  return nothing;
}
