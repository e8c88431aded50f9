import type { Stored } from "@portcullis/documents";
import type { ComposedMail } from "../accounts/mail.ts";
import type { AccountStore, Mail } from "../accounts/store.ts";
import type { SocketStore } from "../sockets/store.ts";
import type { Invitations } from "./invitations.ts";
import { hasRight, roleOn } from "./rights.ts";

/** What is written to people of a socket, and to those who are invited. */
export interface PeopleMailsOptions {
  readonly store: SocketStore;
  readonly owners: AccountStore["owners"];
  readonly invitations: Invitations;
  readonly openEmail: (ownerId: string, sealed: string) => string;
  readonly publicUrl: string;
}

/** @returns null where there is nothing to say any more: taken back, accepted, replaced, over. */
export function createPeopleMails(
  options: PeopleMailsOptions,
): (mail: Stored<Mail> & { readonly about: string; readonly accountId: string }) => Promise<ComposedMail | null> {
  const { store, owners, invitations, openEmail, publicUrl } = options;

  async function emailOf(accountId: string): Promise<string | null> {
    const owner = await owners.get(accountId);
    return owner === null ? null : openEmail(owner.id, owner.body.emailSealed);
  }

  async function invite(mailId: string, invitationId: string, ownerId: string): Promise<ComposedMail | null> {
    const invitation = await store.invitations.get(invitationId);
    const socket = invitation === null ? null : await store.sockets.get(invitation.body.socketId);
    const token = invitation === null ? null : invitations.tokenOf(invitation, mailId);
    const from = await emailOf(ownerId);
    if (invitation === null || socket === null || token === null || from === null) return null;
    const lets =
      invitation.body.role === "approver"
        ? "You would see who is connected, and let in who waits for somebody."
        : "You would see its policy and who is connected.";
    const text = lines(
      "You are invited to a Portcullis socket by",
      "",
      `  <${from}>`,
      "",
      `Its name is ${socket.body.label}.`,
      lets,
      "",
      "Accept with the account of this address: sign in, run",
      "`portcullis owner invitation accept` and paste this token:",
      "",
      `  ${token}`,
      "",
      'Programs send it as {"token": "..."} in a POST to',
      `  ${publicUrl}/v1/invitations/accept`,
      "",
      "If you have no account yet, `portcullis owner sign-up` opens one and takes",
      "the same token; confirm its address then, with the mail that comes.",
      "",
      "It is valid for 7 days. If you expect no invitation, ignore this mail:",
      "nothing happens.",
    );
    return { to: invitations.emailOf(invitation), subject: `You are invited to ${socket.body.label}`, text };
  }

  async function somebodyWaits(socketId: string, accountId: string): Promise<ComposedMail | null> {
    const socket = await store.sockets.get(socketId);
    const role = socket === null ? null : await roleOn(store, socket, accountId);
    const to = await emailOf(accountId);
    if (socket === null || role === null || to === null || !hasRight(role, "approve")) return null;
    const { label } = socket.body;
    // Neither the number, which only the waiting screen shows, nor a link that would let somebody in.
    const text = lines(
      `Somebody waits to be let into ${label}.`,
      "",
      "See who they say they are:",
      "",
      `  portcullis owner approvals ${label}`,
      "",
      "Let them in only if you expect them, and only with the number that they",
      "tell you themselves. Otherwise refuse, or do nothing.",
    );
    return { to, subject: `Somebody waits at ${label}`, text };
  }

  return ({ id, about, accountId, body }) =>
    body.purpose === "invitation" ? invite(id, about, accountId) : somebodyWaits(about, accountId);
}

function lines(...text: string[]): string {
  return text.map((line) => `${line}\n`).join("");
}
