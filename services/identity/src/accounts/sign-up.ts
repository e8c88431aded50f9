import { ServiceError } from "@portcullis/contracts";
import { DuplicateError } from "@portcullis/documents";
import { networkOf } from "@portcullis/runtime";
import { hashOf } from "../secrets.ts";
import { type AccountContext, findOwner, mayMail } from "./context.ts";
import { requireGoodPassword } from "./passwords.ts";

const firstOwnerRecord = "first";

/** One `@`, something on both sides, no blanks or control characters; whether it exists, the mail tells. */
const emailShape = /^[^\s@\p{Cc}]{1,64}@[^\s@\p{Cc}]{1,189}$/u;

/** @throws {ServiceError} invalid */
export function requireEmail(text: string): string {
  const email = text.trim();
  if (emailShape.test(email)) return email;
  throw new ServiceError("invalid", { issues: [{ path: "email", message: "is not an e-mail address" }] });
}

interface SignUp {
  readonly email: string;
  readonly password: string;
  readonly bootstrapToken: string | null;
  /** Of a mail to this very address. */
  readonly invitationToken: string | null;
  readonly address: string;
}

/**
 * Open sign-up, the first owner with the bootstrap token, or somebody who is invited to a socket. An address that has an account gets the same answer after the
 * same work, and a mail that says so: nobody can find out who has an account (kratos#4458).
 */
export async function signUp(context: AccountContext, request: SignUp): Promise<Record<string, never>> {
  await context.quotas.signUp.require(networkOf(request.address));
  const email = requireEmail(request.email);
  requireGoodPassword(request.password, { email, secondFactor: false });
  const firstId = request.bootstrapToken === null ? null : await requireBootstrap(context, request.bootstrapToken);
  const isInvited = request.invitationToken !== null && (await context.isInvited(request.invitationToken, email));
  if (request.invitationToken !== null && !isInvited) throw new ServiceError("forbidden");
  if (firstId === null && !isInvited && context.signUp === "closed") throw new ServiceError("forbidden");

  const passwordHash = await context.passwords.hash(request.password);
  const existing = await findOwner(context, email);
  const may = await mayMail(context, email);
  if (existing !== null) {
    // In place of the write that makes an account, so that both cases take as long.
    await context.mails.pretend();
    await context.mails.send(may ? existing : null, "already-registered");
    return {};
  }
  const ownerId = firstId ?? context.ids.id();
  try {
    const owner = await context.store.owners.insert(ownerId, {
      emailTag: context.contacts.tag(email),
      emailSealed: context.contacts.seal(ownerId, email),
      passwordHash,
      passwordEpoch: 0,
      tokenEpoch: 0,
      // Also of who is invited: their mail may have been forwarded.
      emailVerifiedAtMs: null,
      secondFactor: false,
      recoveryHashes: [],
      createdAtMs: context.clock(),
    });
    await context.mails.send(owner, "verify-email");
  } catch (error) {
    if (!(error instanceof DuplicateError)) throw error;
    // The same token, or the same address, a moment earlier.
    if (firstId !== null) throw new ServiceError("forbidden");
    await context.mails.send(may ? await findOwner(context, email) : null, "already-registered");
  }
  return {};
}

/**
 * @returns the id that the first owner must get. All who present the token at once get the same one, and one of them inserts it.
 * @throws {ServiceError} forbidden: a wrong token, or there is an owner already.
 */
async function requireBootstrap(context: AccountContext, token: string): Promise<string> {
  const record = await context.store.firstOwner.get(firstOwnerRecord);
  const right = record !== null && hashOf(context.bootstrapToken(record.body.ownerId)) === hashOf(token);
  if (!right || (await context.store.owners.count({})) > 0) throw new ServiceError("forbidden");
  return record.body.ownerId;
}

/**
 * Where there is no owner yet: chooses the first one's id, from which the token is derived unless the operator set one. So every
 * replica and every start names the same token, and the database holds nothing that could be used as one.
 * @returns the token while there is no owner, null afterwards.
 */
export async function prepareBootstrap(context: AccountContext): Promise<string | null> {
  if ((await context.store.owners.count({})) > 0) return null;
  const record = await context.store.firstOwner.get(firstOwnerRecord);
  if (record !== null) return context.bootstrapToken(record.body.ownerId);
  const ownerId = context.ids.id();
  try {
    await context.store.firstOwner.insert(firstOwnerRecord, { ownerId });
    return context.bootstrapToken(ownerId);
  } catch (error) {
    // Another replica starts at the same moment: its choice stands.
    if (!(error instanceof DuplicateError)) throw error;
    return prepareBootstrap(context);
  }
}
