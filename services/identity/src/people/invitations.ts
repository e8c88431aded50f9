import type { Stored } from "@portcullis/documents";
import type { Vault } from "@portcullis/runtime";
import { normalEmail } from "../accounts/context.ts";
import { fromText, hashOf, tagOf, toText } from "../secrets.ts";
import type { Invitation, PeopleStore } from "./store.ts";

/** Tokens of invitations. Each is in one mail and nowhere else: made from the ids of invitation and mail, and stored as a hash. */
export interface Invitations {
  /** What is stored of an invitation whose token is in this mail. */
  secretsOf(id: string, mailId: string, email: string): Pick<Invitation, "emailSealed" | "tokenHash" | "mailId">;
  /** For the mail. Null where the invitation has had another mail since, or its master key is gone. */
  tokenOf(invitation: Stored<Invitation>, mailId: string): string | null;
  emailOf(invitation: Stored<Invitation>): string;
  /** Null for a token that was never mailed, that another mail has replaced, that was used, taken back, or has expired. */
  find(token: string): Promise<Stored<Invitation> | null>;
  /** Whether the token invites this very address. */
  isFor(token: string, email: string): Promise<boolean>;
}

const prefix = "pci_";
const label = "invitation-token";
const place = (id: string) => `invitation-email:${id}`;

export function createInvitations(
  store: Pick<PeopleStore, "invitations">,
  vault: Pick<Vault, "subkey" | "subkeys" | "wrap" | "unwrap">,
): Invitations {
  const token = (key: Uint8Array, id: string, mailId: string) => `${prefix}${id}.${tagOf(key, `${id} ${mailId}`)}`;
  const emailOf = ({ id, body }: Stored<Invitation>) =>
    Buffer.from(vault.unwrap(fromText(body.emailSealed), place(id))).toString("utf8");

  async function find(given: string): Promise<Stored<Invitation> | null> {
    if (!given.startsWith(prefix)) return null;
    const [id = ""] = given.slice(prefix.length).split(".", 1);
    const invitation = id === "" ? null : await store.invitations.get(id);
    // Hashes of 256 random bits: comparing them tells nothing through time.
    return invitation !== null && invitation.body.tokenHash === hashOf(given) ? invitation : null;
  }

  return {
    secretsOf: (id, mailId, email) => ({
      emailSealed: toText(vault.wrap(Buffer.from(email, "utf8"), place(id))),
      tokenHash: hashOf(token(vault.subkey(label), id, mailId)),
      mailId,
    }),
    tokenOf({ id, body }, mailId) {
      if (body.mailId !== mailId) return null;
      // It may have been made under the master key before this one.
      const tokens = vault.subkeys(label).map((key) => token(key, id, mailId));
      return tokens.find((each) => hashOf(each) === body.tokenHash) ?? null;
    },
    emailOf,
    find,
    async isFor(given, email) {
      const invitation = await find(given);
      return invitation !== null && normalEmail(emailOf(invitation)) === normalEmail(email);
    },
  };
}
