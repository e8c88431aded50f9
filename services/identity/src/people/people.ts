import { type InvitedRole, type PersonView, peopleMax, ServiceError, withdrawGrant } from "@portcullis/contracts";
import { DuplicateError, insertWithin, type Stored } from "@portcullis/documents";
import { normalEmail, requireConfirmedAddress, requireOwner } from "../accounts/context.ts";
import { requireEmail } from "../accounts/sign-up.ts";
import { compareAndSet } from "../compare-and-set.ts";
import { requireSocket } from "../sockets/context.ts";
import type { Mine, PeopleContext } from "./context.ts";
import { hasRight } from "./rights.ts";
import type { Invitation, Person } from "./store.ts";

const invitationLifeMs = 7 * 24 * 3_600_000;

/**
 * Nothing here depends on whether the address has an account: it is not looked up, and everybody who is invited gets the same mail. Once more is
 * another mail with another token.
 */
export async function invitePersonTo(
  context: PeopleContext,
  request: Mine & { email: string; role: InvitedRole },
): Promise<PersonView> {
  const { store, accounts, invitations, clock, ids } = context;
  const socket = await requireSocket(context, request);
  const owner = await requireOwner(accounts, request.ownerId);
  // Mails to strangers: only by somebody who can be reached.
  requireConfirmedAddress(owner.body);
  const email = requireEmail(request.email);
  const people = await peopleOf(context, socket.id);
  const known = await Promise.all([request.ownerId, ...people.map(({ body }) => body.accountId)].map(emailOf(context)));
  if (known.some((each) => each !== null && normalEmail(each) === normalEmail(email)))
    throw new ServiceError("conflict", { issues: [{ path: "email", message: "is of this socket already" }] });
  const before = await invitationOf(context, socket.id, email);
  for (const [quota, subject] of accounts.quotas.invitation(request.ownerId, normalEmail(email)))
    await quota.require(subject);

  const id = before?.id ?? ids.id();
  const mailId = ids.id();
  const now = clock();
  const body: Invitation = {
    socketId: socket.id,
    role: request.role,
    emailTag: accounts.contacts.tag(email),
    ...invitations.secretsOf(id, mailId, email),
    createdAtMs: now,
    expiresAtMs: now + invitationLifeMs,
  };
  const written = await write(context, before, id, body);
  // A deletion of the socket that began meanwhile may have come by before this invitation was there.
  await requireSocket(context, request).catch(async (error: unknown) => {
    await store.invitations.delete(id);
    throw error;
  });
  const { expiresAtMs } = body;
  await accounts.mails.sendAbout({
    id: mailId,
    accountId: request.ownerId,
    purpose: "invitation",
    about: id,
    expiresAtMs,
  });
  context.log.info("somebody was invited to a socket", { socket: socket.id, invitation: id, role: request.role });
  return viewOfInvitation(context, written);
}

async function write(
  { store }: PeopleContext,
  before: Stored<Invitation> | null,
  id: string,
  body: Invitation,
): Promise<Stored<Invitation>> {
  const { people, invitations } = store;
  const { socketId } = body;
  const count = async () => (await people.count({ socketId })) + (await invitations.count({ socketId }));
  try {
    const written =
      before === null
        ? await insertWithin(invitations, id, body, { max: peopleMax, count })
        : await invitations.replace(id, before.version, body);
    if (written !== null) return written;
  } catch (error) {
    throw error instanceof DuplicateError ? new ServiceError("conflict", { cause: error }) : error;
  }
  // Of those that were there: the same address, or its answer, a moment earlier.
  throw before === null ? invalid("email", `a socket has at most ${peopleMax} people`) : new ServiceError("conflict");
}

export async function listPeopleOf(context: PeopleContext, who: Mine): Promise<{ people: PersonView[] }> {
  const socket = await requireSocket(context, who);
  const [people, invited, owner] = await Promise.all([
    peopleOf(context, socket.id),
    context.store.invitations.find({ socketId: socket.id }, { limit: 1000 }),
    emailOf(context)(socket.body.ownerId),
  ]);
  const first: PersonView = {
    id: socket.body.ownerId,
    role: "owner",
    email: owner ?? "",
    state: "active",
    sinceMs: socket.body.createdAtMs,
    expiresAtMs: null,
  };
  const active = await Promise.all(people.map((person) => viewOfPerson(context, person)));
  return { people: [first, ...active, ...invited.map((each) => viewOfInvitation(context, each))] };
}

/** The right is another one from then on: what was approved under the one before counts no more. */
export async function changePersonOf(
  context: PeopleContext,
  { personId, role, ...who }: Mine & { personId: string; role: InvitedRole },
): Promise<PersonView> {
  const { store, ids } = context;
  const socket = await requireSocket(context, who);
  const invitation = await store.invitations.get(personId);
  if (invitation?.body.socketId === socket.id) {
    const changed = await store.invitations.replace(personId, invitation.version, { ...invitation.body, role });
    if (changed === null) throw new ServiceError("conflict");
    return viewOfInvitation(context, changed);
  }
  const person = await requirePerson(context, socket.id, personId);
  if (person.body.goneAtMs !== null) throw new ServiceError("not_found");
  if (person.body.role === role) return viewOfPerson(context, person);
  const changed = await store.people.replace(personId, person.version, { ...person.body, role, grant: ids.id() });
  if (changed === null) throw new ServiceError("conflict");
  await withdraw(context, person.body);
  context.log.info("somebody's role on a socket changed", { socket: socket.id, person: personId, role });
  return viewOfPerson(context, changed);
}

/**
 * First they may nothing any more, then what they approved counts no more (unless it is decided already), last the document goes. Where that stops
 * half-way, removing again goes on.
 *
 * @param request.personId of a person or an invitation; null: whoever asks leaves
 */
export async function removePersonOf(
  context: PeopleContext,
  { personId, ...who }: Mine & { personId: string | null },
): Promise<Record<string, never>> {
  const { store, clock } = context;
  const person = personId === null ? await self(context, who) : await other(context, who, personId);
  if (person === null) return {};
  await compareAndSet(
    store.people,
    person.id,
    (body) => ({ ...body, goneAtMs: body.goneAtMs ?? clock() }),
    "not_found",
  );
  await withdraw(context, person.body);
  await store.people.delete(person.id);
  context.log.info("somebody is of a socket no more", { socket: who.socketId, person: person.id });
  return {};
}

async function self({ store }: PeopleContext, { ownerId, socketId }: Mine): Promise<Stored<Person>> {
  const person = await store.people.findOne({ socketId, accountId: ownerId });
  if (person === null) throw new ServiceError("not_found");
  return person;
}

/** @returns null where it was an invitation, which is taken back. */
async function other(context: PeopleContext, who: Mine, personId: string): Promise<Stored<Person> | null> {
  const { store } = context;
  const socket = await requireSocket(context, who);
  const invitation = await store.invitations.get(personId);
  if (invitation?.body.socketId !== socket.id) return requirePerson(context, socket.id, personId);
  if (!(await store.invitations.delete(personId))) throw new ServiceError("not_found");
  return null;
}

async function withdraw({ caller }: PeopleContext, { socketId, role, grant }: Person): Promise<void> {
  if (hasRight(role, "approve")) await caller.call(withdrawGrant, { socketId, grant });
}

async function requirePerson({ store }: PeopleContext, socketId: string, personId: string): Promise<Stored<Person>> {
  const person = await store.people.get(personId);
  if (person?.body.socketId !== socketId) throw new ServiceError("not_found");
  return person;
}

async function peopleOf({ store }: PeopleContext, socketId: string): Promise<Stored<Person>[]> {
  const found = await store.people.find({ socketId }, { limit: 1000 });
  return found.filter(({ body }) => body.goneAtMs === null).slice(0, peopleMax);
}

function invitationOf(
  { store, accounts }: PeopleContext,
  socketId: string,
  email: string,
): Promise<Stored<Invitation> | null> {
  return store.invitations.findOne({ socketId, emailTag: accounts.contacts.tag(email) });
}

function emailOf({ accounts }: PeopleContext) {
  return async (accountId: string): Promise<string | null> => {
    const account = await accounts.store.owners.get(accountId);
    return account === null ? null : accounts.contacts.open(account.id, account.body.emailSealed);
  };
}

async function viewOfPerson(context: PeopleContext, { id, body }: Stored<Person>): Promise<PersonView> {
  const { role, accountId, createdAtMs } = body;
  const email = (await emailOf(context)(accountId)) ?? "";
  return { id, role, email, state: "active", sinceMs: createdAtMs, expiresAtMs: null };
}

function viewOfInvitation({ invitations }: PeopleContext, invitation: Stored<Invitation>): PersonView {
  const { role, createdAtMs, expiresAtMs } = invitation.body;
  const email = invitations.emailOf(invitation);
  return { id: invitation.id, role, email, state: "invited", sinceMs: createdAtMs, expiresAtMs };
}

function invalid(path: string, message: string): ServiceError {
  return new ServiceError("invalid", { issues: [{ path, message }] });
}
