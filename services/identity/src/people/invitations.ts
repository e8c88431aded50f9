import type { Stored } from "@portcullis/documents";
import type { Vault } from "@portcullis/runtime";
import { normalEmail } from "../accounts/context.ts";
import { fromText, hashOf, tagOf, toText } from "../secrets.ts";
import { type Invitation, invitationEmailPlace, type PeopleStore } from "./store.ts";

/** Tokens of invitations. Each is in one mail and nowhere else: made from the ids of invitation and mail, and stored as a hash. */
export interface Invitations {
  /** What is stored of an invitation whose token is in this mail. */
  secretsOf(id: string, mailId: string, email: string): Pick<Invitation, "emailSealed" | "tokenHash" | "mailId">;
  /** For the mail. Null where the invitation has had another mail since. */
  tokenOf(invitation: Stored<Invitation>, mailId: string): string | null;
  emailOf(invitation: Stored<Invitation>): string;
  /** Null for a token that was never mailed, that another mail has replaced, that was used, taken back, or has expired. */
  find(token: string): Promise<Stored<Invitation> | null>;
  /** Whether the token invites this very address. */
  isFor(token: string, email: string): Promise<boolean>;
}

const prefix = "pci_";

export function createInvitations(
  store: Pick<PeopleStore, "invitations">,
  vault: Pick<Vault, "subkey" | "wrap" | "unwrap">,
): Invitations {
  const key = vault.subkey("invitation-token");
  const token = (id: string, mailId: string) => `${prefix}${id}.${tagOf(key, `${id} ${mailId}`)}`;
  const emailOf = ({ id, body }: Stored<Invitation>) =>
    Buffer.from(vault.unwrap(fromText(body.emailSealed), invitationEmailPlace(id))).toString("utf8");

  async function find(given: string): Promise<Stored<Invitation> | null> {
    if (!given.startsWith(prefix)) return null;
    const [id = ""] = given.slice(prefix.length).split(".", 1);
    const invitation = id === "" ? null : await store.invitations.get(id);
    // Hashes of 256 random bits: comparing them tells nothing through time.
    return invitation !== null && invitation.body.tokenHash === hashOf(given) ? invitation : null;
  }

  return {
    secretsOf: (id, mailId, email) => ({
      emailSealed: toText(vault.wrap(Buffer.from(email, "utf8"), invitationEmailPlace(id))),
      tokenHash: hashOf(token(id, mailId)),
      mailId,
    }),
    tokenOf({ id, body }, mailId) {
      if (body.mailId !== mailId) return null;
      const made = token(id, mailId);
      return hashOf(made) === body.tokenHash ? made : null;
    },
    emailOf,
    find,
    async isFor(given, email) {
      const invitation = await find(given);
      return invitation !== null && normalEmail(emailOf(invitation)) === normalEmail(email);
    },
  };
}
