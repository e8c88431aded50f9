import { checkCode, confirmSecret, enrolSecret, forgetSecret, ServiceError } from "@portcullis/contracts";
import { DuplicateError, type Stored } from "@portcullis/documents";
import { hashOf } from "../secrets.ts";
import { type AccountContext, requireConfirmedAddress, requireOwner, updateOwner } from "./context.ts";
import { requireGoodPassword } from "./passwords.ts";
import { deleteAll, type Owner } from "./store.ts";
import { endWebSessions, keepWebSession } from "./web-sessions.ts";

export interface SecondFactor {
  readonly kind: "code" | "recovery";
  readonly value: string;
}

const recoveryCodeCount = 10;

/**
 * Passes where the owner has no second factor, or the one given is right and is now used up. Wrong ones are counted.
 *
 * @param address of whoever tries, where it is known.
 * @param wrong what a wrong one is.
 * @throws {ServiceError} second_factor_required when none was given; `wrong`; too_many.
 */
export async function requireSecondFactor(
  context: AccountContext,
  owner: Stored<Owner>,
  given: SecondFactor | null,
  address: string | null,
  wrong: "unauthenticated" | "reauthentication_failed" = "unauthenticated",
): Promise<void> {
  if (!owner.body.secondFactor) return;
  if (given === null) throw new ServiceError("second_factor_required");
  const right = await context.attempts.secondFactor.judge(owner.id, address, async () => {
    const passes =
      given.kind === "code"
        ? await checkOwnerCode(context, owner.id, given.value)
        : await useRecoveryCode(context, owner.id, given.value);
    return passes || null;
  });
  if (right === null) throw new ServiceError(wrong);
}

async function checkOwnerCode(context: AccountContext, ownerId: string, code: string): Promise<boolean> {
  const reply = await context.caller.call(checkCode, {
    subject: { of: "owner", ownerId },
    code: code.trim().slice(0, 16),
    requestId: context.ids.id(),
  });
  return reply.ok;
}

/** One use: of all who present the same code at once, one inserts that it is used. */
async function useRecoveryCode(context: AccountContext, ownerId: string, code: string): Promise<boolean> {
  const used = hashOf(normalRecoveryCode(code));
  let mine = false;
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const owner = await requireOwner(context, ownerId);
    // Asked again in every round: meanwhile the codes may have been renewed.
    if (!owner.body.recoveryHashes.includes(used)) return false;
    mine ||= await markUsed(context, ownerId, used);
    if (!mine) return false;
    const recoveryHashes = owner.body.recoveryHashes.filter((hash) => hash !== used);
    if ((await context.store.owners.replace(ownerId, owner.version, { ...owner.body, recoveryHashes })) !== null)
      return true;
  }
  throw new ServiceError("conflict");
}

async function markUsed(context: AccountContext, ownerId: string, codeHash: string): Promise<boolean> {
  try {
    await context.store.usedRecoveryCodes.insert(`${ownerId}.${codeHash}`, { ownerId, usedAtMs: context.clock() });
    return true;
  } catch (error) {
    if (error instanceof DuplicateError) return false;
    throw error;
  }
}

export async function beginAuthenticator(
  context: AccountContext,
  request: { ownerId: string; password: string },
): Promise<{ uri: string }> {
  const owner = await confirmByPassword(context, request.ownerId, request.password);
  if (owner.body.secondFactor) throw new ServiceError("conflict");
  // Otherwise whoever signs up with somebody else's address could shut them out of it for ever: resetting the password, which is
  // how the mailbox's owner gets the account, would need the stranger's authenticator.
  requireConfirmedAddress(owner.body);
  const account = context.contacts.open(owner.id, owner.body.emailSealed).slice(0, 128);
  return context.caller.call(enrolSecret, {
    subject: { of: "owner", ownerId: owner.id },
    issuer: "Portcullis",
    account,
    active: false,
  });
}

export async function confirmAuthenticator(
  context: AccountContext,
  request: { ownerId: string; code: string; keepSessionId: string },
): Promise<{ recoveryCodes: string[] }> {
  const owner = await requireOwner(context, request.ownerId);
  if (owner.body.secondFactor) throw new ServiceError("conflict");
  const confirmed = await context.attempts.enrolment.judge(owner.id, null, async () => {
    const { ok } = await context.caller.call(confirmSecret, {
      subject: { of: "owner", ownerId: owner.id },
      code: request.code,
    });
    return ok || null;
  });
  if (confirmed === null) {
    throw new ServiceError("invalid", {
      issues: [{ path: "code", message: "is not the code that the authenticator shows now" }],
    });
  }
  // With the epoch goes whatever was allowed without it: sessions elsewhere, and a reset that is under way.
  const { codes, changed } = await giveRecoveryCodes(context, owner.id, (body) => ({
    ...body,
    secondFactor: true,
    passwordEpoch: body.passwordEpoch + 1,
  }));
  await keepWebSession(context, changed, request.keepSessionId);
  await endWebSessions(context, owner.id, request.keepSessionId);
  return { recoveryCodes: codes };
}

export async function removeAuthenticator(
  context: AccountContext,
  request: { ownerId: string; password: string; secondFactor: SecondFactor },
): Promise<Record<string, never>> {
  const owner = await confirmByPassword(context, request.ownerId, request.password);
  if (!owner.body.secondFactor) throw new ServiceError("not_found");
  // One that was long enough beside a second factor may not be so alone: NIST SP 800-63B-4 3.1.1.2.
  const email = context.contacts.open(owner.id, owner.body.emailSealed);
  requireGoodPassword(request.password, { email, secondFactor: false });
  await confirmBySecondFactor(context, owner, request.secondFactor);
  await updateOwner(context, owner.id, (body) => ({ ...body, secondFactor: false, recoveryHashes: [] }));
  await context.caller.call(forgetSecret, { subject: { of: "owner", ownerId: owner.id } });
  return {};
}

export async function renewRecovery(
  context: AccountContext,
  request: { ownerId: string; password: string; code: string },
): Promise<{ recoveryCodes: string[] }> {
  const owner = await confirmByPassword(context, request.ownerId, request.password);
  if (!owner.body.secondFactor) throw new ServiceError("not_found");
  await confirmBySecondFactor(context, owner, { kind: "code", value: request.code });
  return { recoveryCodes: (await giveRecoveryCodes(context, owner.id, (body) => body)).codes };
}

/**
 * Before whatever outlasts a session: a stolen one must not be enough. Failures are counted.
 *
 * @throws {ServiceError} reauthentication_failed: who asks stays signed in; too_many.
 */
export async function confirmByPassword(
  context: AccountContext,
  ownerId: string,
  password: string,
): Promise<Stored<Owner>> {
  const owner = await context.attempts.reauthentication.judge(ownerId, null, async () => {
    const found = await requireOwner(context, ownerId);
    return (await context.passwords.matches(found.body.passwordHash, password)) ? found : null;
  });
  if (owner === null) throw new ServiceError("reauthentication_failed");
  return owner;
}

/** Likewise, behind the password. */
export async function confirmBySecondFactor(
  context: AccountContext,
  owner: Stored<Owner>,
  given: SecondFactor | null,
): Promise<void> {
  await requireSecondFactor(context, owner, given, null, "reauthentication_failed");
}

/** New codes in place of all older ones, together with the change that makes them matter. */
async function giveRecoveryCodes(
  context: AccountContext,
  ownerId: string,
  change: (owner: Owner) => Owner,
): Promise<{ codes: string[]; changed: Stored<Owner> }> {
  // 80 bits each: far beyond guessing, so a fast hash at rest is enough. Base32 without what people confuse.
  const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  const codes = Array.from({ length: recoveryCodeCount }, () => {
    const letters = [...context.random(16)].map((byte) => alphabet[byte & 31] ?? "");
    return [0, 4, 8, 12].map((from) => letters.slice(from, from + 4).join("")).join("-");
  });
  const recoveryHashes = codes.map((code) => hashOf(normalRecoveryCode(code)));
  const changed = await updateOwner(context, ownerId, (owner) => ({ ...change(owner), recoveryHashes }));
  await deleteAll(context.store.usedRecoveryCodes, { ownerId });
  return { codes, changed };
}

function normalRecoveryCode(code: string): string {
  return code.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}
