import { checkCode, confirmSecret, enrolSecret, forgetSecret, ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { hashOf } from "../secrets.ts";
import { type AccountContext, requireOwner, updateOwner } from "./context.ts";
import type { Owner } from "./store.ts";

export interface SecondFactor {
  readonly kind: "code" | "recovery";
  readonly value: string;
}

const recoveryCodeCount = 10;

/**
 * Passes where the owner has no second factor, or the one given is right and is now used up.
 * @throws {ServiceError} second_factor_required when none was given; unauthenticated when it is wrong.
 */
export async function requireSecondFactor(
  context: AccountContext,
  owner: Stored<Owner>,
  given: SecondFactor | null,
): Promise<void> {
  if (!owner.body.secondFactor) return;
  if (given === null) throw new ServiceError("second_factor_required");
  const right =
    given.kind === "code"
      ? await checkOwnerCode(context, owner.id, given.value)
      : await useRecoveryCode(context, owner.id, given.value);
  if (!right) throw new ServiceError("unauthenticated");
}

export async function checkOwnerCode(context: AccountContext, ownerId: string, code: string): Promise<boolean> {
  const reply = await context.caller.call(checkCode, {
    subject: { of: "owner", ownerId },
    code: code.trim().slice(0, 16),
    requestId: context.ids.id(),
  });
  return reply.ok;
}

async function useRecoveryCode(context: AccountContext, ownerId: string, code: string): Promise<boolean> {
  const used = hashOf(normalRecoveryCode(code));
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const owner = await requireOwner(context, ownerId);
    if (!owner.body.recoveryHashes.includes(used)) return false;
    const recoveryHashes = owner.body.recoveryHashes.filter((hash) => hash !== used);
    // The compare-and-set is what makes it one use: of two who present the same code, one loses and reads again.
    if ((await context.store.owners.replace(ownerId, owner.version, { ...owner.body, recoveryHashes })) !== null)
      return true;
  }
  return false;
}

export async function beginAuthenticator(
  context: AccountContext,
  request: { ownerId: string; password: string },
): Promise<{ uri: string }> {
  const owner = await requirePassword(context, request.ownerId, request.password);
  if (owner.body.secondFactor) throw new ServiceError("conflict");
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
  request: { ownerId: string; code: string },
): Promise<{ recoveryCodes: string[] }> {
  const owner = await requireOwner(context, request.ownerId);
  if (owner.body.secondFactor) throw new ServiceError("conflict");
  await context.signInAttempts.require(`confirm ${owner.id}`, "");
  const { ok } = await context.caller.call(confirmSecret, {
    subject: { of: "owner", ownerId: owner.id },
    code: request.code,
  });
  if (!ok) {
    await context.signInAttempts.failed(`confirm ${owner.id}`, "");
    throw new ServiceError("invalid", {
      issues: [{ path: "code", message: "is not the code that the authenticator shows now" }],
    });
  }
  const recovery = newRecoveryCodes(context);
  await updateOwner(context, owner.id, (body) => ({ ...body, secondFactor: true, recoveryHashes: recovery.hashes }));
  return { recoveryCodes: recovery.codes };
}

export async function removeAuthenticator(
  context: AccountContext,
  request: { ownerId: string; password: string; secondFactor: SecondFactor },
): Promise<Record<string, never>> {
  const owner = await requirePassword(context, request.ownerId, request.password);
  await requireSecondFactorCounted(context, owner, request.secondFactor);
  await updateOwner(context, owner.id, (body) => ({ ...body, secondFactor: false, recoveryHashes: [] }));
  await context.caller.call(forgetSecret, { subject: { of: "owner", ownerId: owner.id } });
  return {};
}

export async function renewRecovery(
  context: AccountContext,
  request: { ownerId: string; password: string; code: string },
): Promise<{ recoveryCodes: string[] }> {
  const owner = await requirePassword(context, request.ownerId, request.password);
  if (!owner.body.secondFactor) throw new ServiceError("conflict");
  await requireSecondFactorCounted(context, owner, { kind: "code", value: request.code });
  const recovery = newRecoveryCodes(context);
  await updateOwner(context, owner.id, (body) => ({ ...body, recoveryHashes: recovery.hashes }));
  return { recoveryCodes: recovery.codes };
}

/** Re-authentication before a change to the account's security: a stolen session must not be enough. Failures are counted. */
export async function requirePassword(
  context: AccountContext,
  ownerId: string,
  password: string,
): Promise<Stored<Owner>> {
  const account = `reauth ${ownerId}`;
  await context.signInAttempts.require(account, "");
  const owner = await requireOwner(context, ownerId);
  if (!(await context.passwords.matches(owner.body.passwordHash, password))) {
    await context.signInAttempts.failed(account, "");
    throw new ServiceError("unauthenticated");
  }
  await context.signInAttempts.succeeded(account, "");
  return owner;
}

/** As `requireSecondFactor`, with wrong ones counted per account. */
export async function requireSecondFactorCounted(
  context: AccountContext,
  owner: Stored<Owner>,
  given: SecondFactor | null,
): Promise<void> {
  const account = `second factor ${owner.id}`;
  await context.signInAttempts.require(account, "");
  try {
    await requireSecondFactor(context, owner, given);
  } catch (error) {
    if (error instanceof ServiceError && error.code === "unauthenticated")
      await context.signInAttempts.failed(account, "");
    throw error;
  }
  await context.signInAttempts.succeeded(account, "");
}

function newRecoveryCodes(context: AccountContext): { codes: string[]; hashes: string[] } {
  // 80 bits each: far beyond guessing, so a fast hash at rest is enough. Base32 without what people confuse.
  const alphabet = "abcdefghijkmnpqrstuvwxyz23456789";
  const codes = Array.from({ length: recoveryCodeCount }, () => {
    const letters = [...context.random(16)].map((byte) => alphabet[byte & 31] ?? "");
    return `${letters.slice(0, 4).join("")}-${letters.slice(4, 8).join("")}-${letters.slice(8, 12).join("")}-${letters.slice(12).join("")}`;
  });
  return { codes, hashes: codes.map((code) => hashOf(normalRecoveryCode(code))) };
}

function normalRecoveryCode(code: string): string {
  return code.toLowerCase().replaceAll(/[^a-z0-9]/g, "");
}
