import { ServiceError } from "@portcullis/contracts";
import { DuplicateError } from "@portcullis/documents";
import { hashOf, toText } from "../secrets.ts";
import { type AccountContext, normalEmail } from "./context.ts";
import { requireGoodPassword } from "./passwords.ts";

const bootstrapId = "first-owner";

/** One `@`, something on both sides, no blanks or control characters; whether it exists, the mail tells. */
const emailShape = /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,189}$/u;

interface SignUp {
  readonly email: string;
  readonly password: string;
  readonly bootstrapToken: string | null;
  readonly address: string;
}

/**
 * Open sign-up, or the first owner with the bootstrap token. An address that has an account gets the same answer after the
 * same work, and a mail that says so: nobody can find out who has an account (kratos#4458).
 */
export async function signUp(context: AccountContext, request: SignUp): Promise<Record<string, never>> {
  await context.mailAttempts.require("sign-up", request.address);
  await context.mailAttempts.failed("sign-up", request.address);
  const email = request.email.trim();
  if (!emailShape.test(email))
    throw new ServiceError("invalid", { issues: [{ path: "email", message: "is not an e-mail address" }] });
  requireGoodPassword(request.password, { email, secondFactor: false });
  const first = request.bootstrapToken !== null;
  if (first) await useBootstrap(context, request.bootstrapToken ?? "");
  else if (context.signUp === "closed") throw new ServiceError("forbidden");

  const passwordHash = await context.passwords.hash(request.password);
  const ownerId = context.ids.id();
  const now = context.clock();
  try {
    await context.store.owners.insert(ownerId, {
      emailTag: context.contacts.tag(normalEmail(email)),
      emailSealed: context.contacts.seal(ownerId, email),
      passwordHash,
      emailVerifiedAtMs: null,
      secondFactor: false,
      recoveryHashes: [],
      createdAtMs: now,
    });
    await context.mails.send(ownerId, "verify-email");
  } catch (error) {
    if (!(error instanceof DuplicateError)) throw error;
    const existing = await context.store.owners.findOne({ emailTag: context.contacts.tag(normalEmail(email)) });
    if (existing !== null) await context.mails.send(existing.id, "already-registered");
  }
  return {};
}

/** Compare-and-set: of two who present the token at once, one becomes the first owner. */
async function useBootstrap(context: AccountContext, token: string): Promise<void> {
  const record = await context.store.bootstrap.get(bootstrapId);
  if (record === null || record.body.usedAtMs !== null || record.body.tokenHash !== hashOf(token))
    throw new ServiceError("forbidden");
  const used = await context.store.bootstrap.replace(bootstrapId, record.version, {
    ...record.body,
    usedAtMs: context.clock(),
  });
  if (used === null) throw new ServiceError("forbidden");
}

/**
 * Where there is no owner yet: a token that lets whoever can read this process's output (or set its configuration) become the
 * first. Every start makes a new one until it was used.
 * @param configured a token of the operator's own, or null to generate one.
 * @returns the token where it was generated, null otherwise.
 */
export async function prepareBootstrap(context: AccountContext, configured: string | null): Promise<string | null> {
  if ((await context.store.owners.count({})) > 0) return null;
  const token = configured ?? `pcb_${toText(context.random(24))}`;
  const body = { tokenHash: hashOf(token), usedAtMs: null };
  const record = await context.store.bootstrap.get(bootstrapId);
  try {
    if (record === null) await context.store.bootstrap.insert(bootstrapId, body);
    else if (
      justUsed(context, record.body.usedAtMs) ||
      (await context.store.bootstrap.replace(bootstrapId, record.version, body)) === null
    )
      return null;
  } catch (error) {
    // Another replica starts at the same moment: its token stands.
    if (error instanceof DuplicateError) return null;
    throw error;
  }
  return configured === null ? token : null;
}

/** Used, but no owner: either another replica is about to write the owner, or one died in between and the token must be renewed. */
function justUsed(context: AccountContext, usedAtMs: number | null): boolean {
  return usedAtMs !== null && context.clock() - usedAtMs < 60_000;
}
