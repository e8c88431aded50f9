import {
  forgetAnswerRule,
  forgetAnswerSecret,
  forgetPasskey,
  forgetSecret,
  forgetSign,
  type MemberView,
  ServiceError,
} from "@portcullis/contracts";
import { insertWithin, type Stored } from "@portcullis/documents";
import type { Vault } from "@portcullis/runtime";
import { z } from "zod";
import { compareAndSet } from "../compare-and-set.ts";
import { fromText, toText } from "../secrets.ts";
import { requireMember, requireSocket, type SocketContext } from "./context.ts";
import { endSessionsOnOthers, withEnrolment } from "./enrolments.ts";
import { type PageRequest, pageOf } from "./page.ts";
import { duplicate } from "./sockets.ts";
import { contactsPlace, type Enrolments, type Member } from "./store.ts";

interface Contacts {
  readonly email: string | null;
  readonly phone: string | null;
}

interface Whose {
  readonly ownerId: string;
  readonly socketId: string;
  readonly name: string;
}

const noContacts: Contacts = { email: null, phone: null };
const perSocketMax = 1000;
const passphraseLengthMin = 8;
const storedContacts = z.strictObject({ email: z.string().nullable(), phone: z.string().nullable() });

export async function createMemberOf(
  context: SocketContext,
  request: Whose & { canary?: boolean | undefined; contacts: Contacts; passphrase: string | null },
): Promise<MemberView> {
  const socket = await requireSocket(context, request);
  const id = context.ids.id();
  const body: Member = {
    socketId: socket.id,
    name: request.name,
    canary: request.canary === true,
    contactsSealed: sealContacts(context, id, request.contacts),
    passphraseHash: await hashPassphrase(context, request.passphrase),
    enrolments: enrolPassphrase(context, enrolContacts(context, {}, noContacts, request.contacts), request.passphrase),
    goneAtMs: null,
    createdAtMs: context.clock(),
  };
  const { members } = context.store;
  const limit = { max: perSocketMax, count: () => members.count({ socketId: socket.id }) };
  try {
    const member = await insertWithin(members, id, body, limit);
    if (member === null) {
      throw new ServiceError("invalid", {
        issues: [{ path: "name", message: `a socket has at most ${perSocketMax} members` }],
      });
    }
    // A deletion of the socket that began meanwhile may have listed the members before this one was there.
    await requireSocket(context, request).catch(async (error: unknown) => {
      await context.store.members.delete(id);
      throw error;
    });
    return view(context, member);
  } catch (error) {
    throw duplicate(error, "name", "is taken on this socket");
  }
}

export async function listMembersOf(
  context: SocketContext,
  { after, limit, ...who }: { ownerId: string; socketId: string } & PageRequest,
): Promise<{ members: MemberView[]; next: string | null }> {
  const socket = await requireSocket(context, who);
  const found = await context.store.members.find({ socketId: socket.id }, { limit: limit + 1, after });
  const { items, next } = pageOf(
    found.map((member) => ({ id: member.id, shown: view(context, member) })),
    limit,
    ({ id }) => id,
  );
  return { members: items.map(({ shown }) => shown), next };
}

export async function updateMemberOf(
  context: SocketContext,
  request: Whose & { version: number; contacts: Contacts | null; passphrase: string | null },
): Promise<MemberView> {
  const socket = await requireSocket(context, request);
  const member = await requireMember(context, socket.id, request.name);
  if (member.version !== request.version) throw new ServiceError("conflict");
  const before = openContacts(context, member.id, member.body.contactsSealed);
  const contacts = request.contacts ?? before;
  const enrolments = enrolPassphrase(
    context,
    enrolContacts(context, member.body.enrolments, before, contacts),
    request.passphrase,
  );
  const written = await context.store.members.replace(member.id, member.version, {
    ...member.body,
    contactsSealed:
      request.contacts === null ? member.body.contactsSealed : sealContacts(context, member.id, request.contacts),
    enrolments,
    passphraseHash:
      request.passphrase === null
        ? member.body.passphraseHash
        : await hashPassphrase(context, request.passphrase === "" ? null : request.passphrase),
  });
  if (written === null) throw new ServiceError("conflict");
  // Whoever came in by a contact that is another one now may not be the member any more.
  // Also where nothing changed: the change before may have stopped half-way.
  const changed = [
    ...(request.contacts === null ? [] : contactGates.map(({ gate }) => gate)),
    ...(request.passphrase === null ? [] : [passphraseGate]),
  ];
  for (const gate of changed)
    await endSessionsOnOthers(context, { gate, socketId: socket.id, memberId: member.id }, enrolments[gate] ?? null);
  return view(context, written);
}

/**
 * First nobody comes in under the name any more (a handshake that is accepted meanwhile looks again after it has registered its
 * session), then those who are in go, then what they answer with, last the member. Where that stops half-way, removing again goes on.
 */
export async function removeMemberOf(context: SocketContext, request: Whose): Promise<{ closed: number }> {
  const socket = await requireSocket(context, request);
  const found = await context.store.members.findOne({ socketId: socket.id, name: request.name });
  if (found === null) throw new ServiceError("not_found");
  await changeMember(context, found.id, (body) => ({ ...body, goneAtMs: body.goneAtMs ?? context.clock() }));
  const closed = await context.revocation.revoke(
    socket.id,
    (session) => session.memberId === found.id,
    "member-removed",
  );
  const subject = { of: "member" as const, socketId: socket.id, member: found.id };
  await context.caller.call(forgetSecret, { subject });
  await context.caller.call(forgetAnswerSecret, { socketId: socket.id, member: found.id });
  await context.caller.call(forgetAnswerRule, { socketId: socket.id, member: found.id });
  await context.caller.call(forgetPasskey, { subject, passkeyId: null });
  await context.caller.call(forgetSign, { socketId: socket.id, member: found.id });
  await context.store.members.delete(found.id);
  return { closed };
}

/** @param id null: there is none any more. */
export async function setMemberEnrolment(
  context: SocketContext,
  memberId: string,
  gate: string,
  id: string | null,
): Promise<void> {
  await changeMember(context, memberId, (body) => ({ ...body, enrolments: withEnrolment(body.enrolments, gate, id) }));
}

/** The contact that a gate sends to; null where there is none. */
export function contactOf(
  context: { readonly vault: Pick<Vault, "unwrap"> },
  { id, body }: Stored<Member>,
  gate: string,
): string | null {
  const field = contactGates.find((each) => each.gate === gate)?.field;
  return field === undefined ? null : openContacts(context, id, body.contactsSealed)[field];
}

const passphraseGate = "ticket";
const contactGates = [
  { gate: "email", field: "email" },
  { gate: "sms", field: "phone" },
  { gate: "call", field: "phone" },
] as const;

/** A contact that stays keeps its enrolment; another one is another. */
function enrolContacts(context: SocketContext, enrolments: Enrolments, before: Contacts, after: Contacts): Enrolments {
  let next = enrolments;
  for (const { gate, field } of contactGates) {
    // A contact from before there was such a gate is enrolled for it the next time that it is saved.
    const isThere = after[field] === null || next[gate] !== undefined;
    if (after[field] === before[field] && isThere) continue;
    next = withEnrolment(next, gate, after[field] === null ? null : context.ids.id());
  }
  return next;
}

/** A ticket that was had for the passphrase stands on it, and what came in by that ticket as well. @param passphrase null: stays; "": none */
function enrolPassphrase(context: SocketContext, enrolments: Enrolments, passphrase: string | null): Enrolments {
  if (passphrase === null) return enrolments;
  return withEnrolment(enrolments, passphraseGate, passphrase === "" ? null : context.ids.id());
}

/** For what is not the owner's own edit. */
async function changeMember(context: SocketContext, id: string, change: (body: Member) => Member): Promise<void> {
  await compareAndSet(context.store.members, id, change, "not_found");
}

function sealContacts(context: SocketContext, memberId: string, contacts: Contacts): string {
  const { email, phone } = contacts;
  return toText(context.vault.wrap(Buffer.from(JSON.stringify({ email, phone })), contactsPlace(memberId)));
}

function openContacts(context: { readonly vault: Pick<Vault, "unwrap"> }, memberId: string, sealed: string): Contacts {
  const opened = context.vault.unwrap(fromText(sealed), contactsPlace(memberId));
  return storedContacts.parse(JSON.parse(Buffer.from(opened).toString("utf8")));
}

function view(context: SocketContext, { id, version, body }: Stored<Member>): MemberView {
  return {
    name: body.name,
    canary: body.canary,
    contacts: openContacts(context, id, body.contactsSealed),
    hasPassphrase: body.passphraseHash !== null,
    authenticator: body.enrolments.otp !== undefined,
    answerSecret: body.enrolments.question !== undefined,
    answerRule: body.enrolments.rule !== undefined,
    passkey: body.enrolments.passkey !== undefined,
    sign: body.enrolments.ident !== undefined,
    createdAtMs: body.createdAtMs,
    version,
  };
}

async function hashPassphrase(context: SocketContext, passphrase: string | null): Promise<string | null> {
  if (passphrase === null) return null;
  if ([...passphrase].length < passphraseLengthMin) {
    throw new ServiceError("invalid", {
      issues: [{ path: "passphrase", message: `needs at least ${passphraseLengthMin} characters` }],
    });
  }
  return context.passwords.hash(passphrase);
}
