import type { Caller } from "@portcullis/bus";
import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import type { Clock, Ids, Logger, Vault } from "@portcullis/runtime";
import { fromText, tagOf, toText } from "../secrets.ts";
import type { Attempts } from "./attempts.ts";
import type { Mails } from "./mail.ts";
import type { Passwords } from "./passwords.ts";
import type { AccountStore, Owner } from "./store.ts";

/** What all operations on accounts stand on. */
export interface AccountContext {
  readonly store: AccountStore;
  readonly passwords: Passwords;
  readonly signInAttempts: Attempts;
  readonly mailAttempts: Attempts;
  readonly mails: Mails;
  readonly contacts: Contacts;
  readonly caller: Caller;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly random: (length: number) => Uint8Array;
  readonly log: Logger;
  readonly signUp: "open" | "closed";
}

/** E-mail addresses at rest: found by an HMAC, read only through the vault. */
export interface Contacts {
  tag(email: string): string;
  seal(ownerId: string, email: string): string;
  open(ownerId: string, sealed: string): string;
}

export function createContacts(vault: Vault): Contacts {
  const key = vault.subkey("email-tag");
  const place = (ownerId: string) => `owner-email:${ownerId}`;
  return {
    tag: (email) => tagOf(key, normalEmail(email)),
    seal: (ownerId, email) => toText(vault.wrap(Buffer.from(email, "utf8"), place(ownerId))),
    open: (ownerId, sealed) => Buffer.from(vault.unwrap(fromText(sealed), place(ownerId))).toString("utf8"),
  };
}

/** One mailbox, one account: the whole address is compared without case, as practically every provider does. */
export function normalEmail(email: string): string {
  return email.trim().normalize("NFC").toLowerCase();
}

/** @throws {ServiceError} unauthenticated: the account went away while its session lived. */
export async function requireOwner(context: AccountContext, ownerId: string): Promise<Stored<Owner>> {
  const owner = await context.store.owners.get(ownerId);
  if (owner === null) throw new ServiceError("unauthenticated");
  return owner;
}

/** Compare-and-set with a few tries. @throws {ServiceError} conflict when others kept winning. */
export async function updateOwner(
  context: AccountContext,
  ownerId: string,
  change: (owner: Owner) => Owner,
): Promise<Stored<Owner>> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const owner = await requireOwner(context, ownerId);
    const written = await context.store.owners.replace(ownerId, owner.version, change(owner.body));
    if (written !== null) return written;
  }
  throw new ServiceError("conflict");
}
