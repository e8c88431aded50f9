import { forgetPasskey, ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { networkOf } from "@portcullis/runtime";
import { type AccountContext, findOwner, mayMail, requireOwner, updateOwner } from "./context.ts";
import type { FoundMail } from "./mail.ts";
import { requireGoodPassword } from "./passwords.ts";
import { confirmByPassword, confirmBySecondFactor, requireSecondFactor, type SecondFactor } from "./second-factor.ts";
import { deleteAll, type Owner } from "./store.ts";
import { endWebSessions, keepWebSession } from "./web-sessions.ts";

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
  const owner = await confirmByPassword(context, request.ownerId, request.current);
  requireGood(context, owner, request.next);
  await confirmBySecondFactor(context, owner, request.secondFactor);
  await setPassword(context, owner, request.next, { keepSessionId: request.keepSessionId, keepTokens: true });
  return nothing;
}

/**
 * Nothing in the answer, nor in what is done before it, tells whether the address has an account: for one that has none, a mail
 * to nobody is recorded and queued.
 */
export async function forgotPasswordOf(
  context: AccountContext,
  request: { email: string; address: string },
): Promise<Record<string, never>> {
  await context.quotas.askedMail.require(networkOf(request.address));
  const owner = await findOwner(context, request.email);
  const may = await mayMail(context, request.email);
  await context.mails.send(may ? owner : null, "reset-password");
  return nothing;
}

/** The mailbox alone is not enough where there is a second factor: an owner with one must always use it. */
export async function resetPasswordOf(
  context: AccountContext,
  request: { token: string; next: string; secondFactor: SecondFactor | null },
): Promise<Record<string, never>> {
  const mail = await context.mails.find(request.token, "reset-password");
  if (mail === null) throw deadToken();
  const owner = await requireOwner(context, mail.ownerId);
  requireCurrent(mail, owner.body);
  requireGood(context, owner, request.next);
  await requireSecondFactor(context, owner, request.secondFactor, null);
  if (!(await context.mails.useUp(mail.id))) throw deadToken();
  // Whoever takes an account back takes all of it: who had the password may have made tokens and passkeys with it.
  await setPassword(context, owner, request.next, { keepSessionId: null, keepTokens: false });
  await markVerified(context, owner.id);
  return nothing;
}

function requireGood(context: AccountContext, owner: Stored<Owner>, next: string): void {
  requireGoodPassword(next, {
    email: context.contacts.open(owner.id, owner.body.emailSealed),
    secondFactor: owner.body.secondFactor,
  });
}

/** @param verified the owner as they were when whoever asks showed that they may. */
async function setPassword(
  context: AccountContext,
  verified: Stored<Owner>,
  next: string,
  { keepSessionId, keepTokens }: { readonly keepSessionId: string | null; readonly keepTokens: boolean },
): Promise<void> {
  const { id, body } = verified;
  const passwordHash = await context.passwords.hash(next);
  const changed = await updateOwner(context, id, (owner) => {
    // Of two changes at once the second was allowed by a password that is none any more.
    if (owner.passwordEpoch !== body.passwordEpoch) throw new ServiceError("conflict");
    const tokenEpoch = owner.tokenEpoch + (keepTokens ? 0 : 1);
    return { ...owner, passwordHash, passwordEpoch: owner.passwordEpoch + 1, tokenEpoch };
  });
  // Before the sessions: a passkey that signs in meanwhile is looked for once more when its session is there.
  if (!keepTokens) await context.caller.call(forgetPasskey, { subject: { of: "owner", ownerId: id }, passkeyId: null });
  if (keepSessionId !== null) await keepWebSession(context, changed, keepSessionId);
  await endWebSessions(context, id, keepSessionId);
  if (!keepTokens) await deleteAll(context.store.apiTokens, { ownerId: id });
  await context.mails.send(changed, "password-changed");
}

function requireCurrent(mail: FoundMail, owner: Owner): void {
  if (mail.passwordEpoch !== owner.passwordEpoch) throw deadToken();
}

function deadToken(): ServiceError {
  return new ServiceError("invalid", {
    issues: [{ path: "token", message: "is not valid, was used, or has expired" }],
  });
}

/**
 * Two proofs of one person: of the mailbox by the token, of the account by being signed in. The token alone would let whoever reads the mail confirm an
 * account that somebody else opened with their address, who would go on having its password ("pre-hijacking": Sudhodanan and Paverd, USENIX Security 2022).
 */
export async function verifyEmailOf(
  context: AccountContext,
  request: { ownerId: string; token: string },
): Promise<Record<string, never>> {
  const mail = await context.mails.find(request.token, "verify-email");
  if (mail?.ownerId !== request.ownerId)
    throw new ServiceError("invalid", { issues: [{ path: "token", message: "is not valid or has expired" }] });
  await markVerified(context, mail.ownerId);
  return nothing;
}

export async function resendVerificationOf(
  context: AccountContext,
  request: { ownerId: string },
): Promise<Record<string, never>> {
  const owner = await requireOwner(context, request.ownerId);
  if (owner.body.emailVerifiedAtMs !== null) return nothing;
  const email = context.contacts.open(owner.id, owner.body.emailSealed);
  if (await mayMail(context, email)) await context.mails.send(owner, "verify-email");
  return nothing;
}

async function markVerified(context: AccountContext, ownerId: string): Promise<void> {
  await updateOwner(context, ownerId, (owner) => ({
    ...owner,
    emailVerifiedAtMs: owner.emailVerifiedAtMs ?? context.clock(),
  }));
}
