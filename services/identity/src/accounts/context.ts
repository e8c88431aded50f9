import type { Caller } from "@portcullis/bus";
import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Clock, Ids, Logger, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { compareAndSet } from "../compare-and-set.ts";
import { fromText, tagOf, toText } from "../secrets.ts";
import type { Attempts, Quota } from "./attempts.ts";
import type { Mails } from "./mail.ts";
import type { Passwords } from "./passwords.ts";
import { type AccountStore, type Owner, ownerEmailPlace } from "./store.ts";

/** What all operations on accounts stand on. */
export interface AccountContext {
  readonly store: AccountStore;
  readonly passwords: Passwords;
  /** A counter for each kind of secret: guessing at one must not use up another. */
  readonly attempts: {
    readonly password: Attempts;
    readonly secondFactor: Attempts;
    readonly reauthentication: Attempts;
    readonly enrolment: Attempts;
  };
  /** Sign-ups and mails that one network may ask for; mails that one mailbox gets. */
  readonly quotas: {
    readonly signUp: Quota;
    readonly askedMail: Quota;
    readonly passkeySignIn: Quota;
    readonly mailbox: readonly Quota[];
    /** Invitations: of an owner, and to a mailbox. */
    readonly invitation: (ownerId: string, email: string) => readonly (readonly [quota: Quota, subject: string])[];
  };
  readonly mails: Mails;
  readonly contacts: Contacts;
  /** Where owners use their passkeys; null: nowhere, since this server is reached by an IP address. */
  readonly relyingParty: string | null;
  readonly state: State;
  readonly vault: Vault;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
  readonly log: Logger;
  readonly signUp: "open" | "closed";
  /** Whether the token came with an invitation to this address. */
  readonly isInvited: (token: string, email: string) => Promise<boolean>;
  /** The token that makes its bearer the owner with this id, while there is no owner. */
  readonly bootstrapToken: (firstOwnerId: string) => string;
}

/** E-mail addresses at rest: found by an HMAC, read only through the vault. */
export interface Contacts {
  tag(email: string): string;
  seal(ownerId: string, email: string): string;
  open(ownerId: string, sealed: string): string;
}

export function createContacts(vault: Vault): Contacts {
  const key = vault.subkey("email-tag");
  return {
    tag: (email) => tagOf(key, normalEmail(email)),
    seal: (ownerId, email) => toText(vault.wrap(Buffer.from(email, "utf8"), ownerEmailPlace(ownerId))),
    open: (ownerId, sealed) => Buffer.from(vault.unwrap(fromText(sealed), ownerEmailPlace(ownerId))).toString("utf8"),
  };
}

/** One mailbox, one account: the whole address is compared without case, as practically every provider does. */
export function normalEmail(email: string): string {
  return email.trim().normalize("NFC").toLowerCase();
}

/** The same look-ups whether or not there is such an account. */
export async function findOwner(context: AccountContext, email: string): Promise<Stored<Owner> | null> {
  return context.store.owners.findOne({ emailTag: context.contacts.tag(email) });
}

/** Whether one more mail may go to this mailbox now. Asked, and counted, for addresses without an account as well. */
export async function mayMail(context: AccountContext, email: string): Promise<boolean> {
  // The shortest window first, and the next only if that one let it through: whoever asks twenty times at once must not use up
  // the mailbox's day, and with it its owner's way back in.
  for (const quota of context.quotas.mailbox) if (!(await quota.take(normalEmail(email)))) return false;
  return true;
}

/** @throws {ServiceError} unauthenticated: the account went away while its session lived. */
export async function requireOwner(context: AccountContext, ownerId: string): Promise<Stored<Owner>> {
  const owner = await context.store.owners.get(ownerId);
  if (owner === null) throw new ServiceError("unauthenticated");
  return owner;
}

/** @throws {ServiceError} conflict: nobody has shown that the mailbox is theirs. */
export function requireConfirmedAddress(owner: Owner): void {
  if (owner.emailVerifiedAtMs !== null) return;
  throw new ServiceError("conflict", {
    issues: [{ path: "email", message: "must be confirmed first, with the token from the mail" }],
  });
}

/** @throws {ServiceError} unauthenticated, like `requireOwner`; conflict when others kept winning; whatever `change` throws. */
export async function updateOwner(
  context: AccountContext,
  ownerId: string,
  change: (owner: Owner) => Owner,
): Promise<Stored<Owner>> {
  return compareAndSet(context.store.owners, ownerId, change, "unauthenticated");
}
