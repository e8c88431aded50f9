import { type InvitedRole, peopleMax, ServiceError } from "@portcullis/contracts";
import { DuplicateError } from "@portcullis/documents";
import { normalEmail, requireConfirmedAddress, requireOwner } from "../accounts/context.ts";
import type { PeopleContext } from "./context.ts";
import { sharedMax } from "./shared.ts";

/**
 * The token alone is not enough: it takes the account of the address that was invited, and that the address is confirmed. So a mail that is
 * forwarded, or read by somebody else, gives nobody a right.
 */
export async function acceptInvitationOf(
  context: PeopleContext,
  { ownerId, token }: { ownerId: string; token: string },
): Promise<{ socketId: string; label: string; role: InvitedRole }> {
  const { store, accounts, invitations, clock, ids } = context;
  const invitation = await invitations.find(token);
  const socket = invitation === null ? null : await store.sockets.get(invitation.body.socketId);
  if (invitation === null || socket === null || socket.body.goneAtMs !== null)
    throw refused("invalid", "is not valid, was used, or has expired");
  const account = await requireOwner(accounts, ownerId);
  const email = accounts.contacts.open(account.id, account.body.emailSealed);
  if (normalEmail(email) !== normalEmail(invitations.emailOf(invitation)))
    throw refused("conflict", "is for another address: accept with the account that it was sent to");
  requireConfirmedAddress(account.body);
  const full = await fullAfter(context, socket.id, ownerId, 1);
  if (full !== null) throw refused("conflict", full);

  const { role } = invitation.body;
  // The invitation goes first: one that is taken back or replaced at the same moment gives no right, and of two who accept at once one does.
  if (!(await store.invitations.delete(invitation.id, invitation.version)))
    throw refused("invalid", "is not valid, was used, or has expired");
  const personId = ids.id();
  const person = {
    socketId: socket.id,
    accountId: ownerId,
    role,
    grant: ids.id(),
    goneAtMs: null,
    createdAtMs: clock(),
  };
  try {
    await store.people.insert(personId, person);
  } catch (error) {
    // A removal that stopped half-way.
    throw error instanceof DuplicateError ? new ServiceError("conflict", { cause: error }) : error;
  }
  // Looked at once more behind the write. A deletion of the socket that began meanwhile may have come by before this person was there; and of those who
  // accepted at the same moment each may have been the last for whom there was room: whoever is one too many has to be invited again.
  const now = await store.sockets.get(socket.id);
  const isGone = now === null || now.body.goneAtMs !== null;
  const over = await fullAfter(context, socket.id, ownerId, 0);
  if (isGone || over !== null) {
    await store.people.delete(personId);
    throw over === null ? refused("invalid", "is not valid, was used, or has expired") : refused("conflict", over);
  }
  context.log.info("somebody is of a socket now", { socket: socket.id, person: personId, role });
  return { socketId: socket.id, label: socket.body.label, role };
}

/** @param coming those who are not there yet. @returns what there would be too many of; null: there is room */
async function fullAfter(
  { store: { people } }: PeopleContext,
  socketId: string,
  accountId: string,
  coming: 0 | 1,
): Promise<string | null> {
  if ((await people.count({ accountId })) + coming > sharedMax)
    return `an account is of at most ${sharedMax} sockets of others`;
  if ((await people.count({ socketId })) + coming > peopleMax) return `a socket has at most ${peopleMax} people`;
  return null;
}

function refused(code: "invalid" | "conflict", message: string): ServiceError {
  return new ServiceError(code, { issues: [{ path: "token", message }] });
}
