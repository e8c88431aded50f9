import {
  dropDirectory,
  forgetSocketSecrets,
  killAppKey,
  ServiceError,
  type SocketRole,
  type SocketView,
} from "@portcullis/contracts";
import { DuplicateError, insertWithin, type Stored } from "@portcullis/documents";
import { adviceOf, parsePolicy } from "@portcullis/policy";
import { deleteAll } from "../accounts/store.ts";
import { alertsUnlessSet } from "../alerts/settings.ts";
import { compareAndSet } from "../compare-and-set.ts";
import { forgetDecoysOf } from "../decoy/owner.ts";
import { forgetPeople, sharedWith } from "../people/shared.ts";
import { areApart, termsOf } from "../sessions/terms.ts";
import { requireOwnSocket, requireRole, requireSocket, type SocketContext } from "./context.ts";
import { withEnrolment } from "./enrolments.ts";
import { type PageRequest, pageOf } from "./page.ts";
import { choosePath, requireIdParameter, requireLabel } from "./paths.ts";
import { requirePolicy } from "./policies.ts";
import type { Socket } from "./store.ts";
import { requireWebhooks } from "./webhooks.ts";

const perOwnerMax = 1000;

type PolicyDocument = Record<string, unknown>;

export async function createSocketOf(
  context: SocketContext,
  request: { ownerId: string; label: string; path: string | null; idParameter: string | null; policy: PolicyDocument },
): Promise<SocketView> {
  const label = requireLabel(request.label);
  const path = choosePath(request.path, context.random);
  const idParameter = requireIdParameter(request.idParameter);
  await requireWebhooks(context, null, requirePolicy(request.policy));
  const now = context.clock();
  const { ownerId, policy } = request;
  const { sockets } = context.store;
  const pathTag = context.pathTag(label, path);
  const times = { goneAtMs: null, createdAtMs: now, updatedAtMs: now };
  const body: Socket = {
    ownerId,
    label,
    pathTag,
    policy,
    idParameter,
    enrolments: {},
    alerts: alertsUnlessSet,
    ...times,
  };
  const limit = { max: perOwnerMax, count: () => sockets.count({ ownerId }) };
  try {
    const socket = await insertWithin(sockets, context.ids.id(), body, limit);
    if (socket !== null) return view(socket, path);
  } catch (error) {
    throw duplicate(error, "label", "is taken");
  }
  throw new ServiceError("invalid", {
    issues: [{ path: "label", message: `an owner has at most ${perOwnerMax} sockets` }],
  });
}

export async function listSocketsOf(
  context: SocketContext,
  { ownerId, after, limit }: { ownerId: string } & PageRequest,
): Promise<{ sockets: SocketView[]; next: string | null }> {
  const [own, shared] = await Promise.all([
    context.store.sockets.find({ ownerId }, { limit: limit + 1, after }),
    sharedWith(context.store, ownerId, { after, limit: limit + 1 }),
  ]);
  const found = [...own.map((socket) => ({ socket, role: "owner" as const })), ...shared]
    .toSorted((a, b) => Buffer.compare(Buffer.from(a.socket.id), Buffer.from(b.socket.id)))
    .slice(0, limit + 1);
  const { items, next } = pageOf(
    found.map(({ socket, role }) => view(socket, null, role)),
    limit,
    ({ id }) => id,
  );
  return { sockets: items, next };
}

export async function getSocketOf(
  context: SocketContext,
  who: { ownerId: string; socketId: string },
): Promise<SocketView> {
  const { socket, role } = await requireRole(context, who, "read");
  return view(socket, null, role);
}

export async function updateSocketOf(
  context: SocketContext,
  request: {
    ownerId: string;
    socketId: string;
    version: number;
    path: string | null;
    idParameter: string | null;
    policy: PolicyDocument | null;
  },
): Promise<SocketView> {
  const socket = await requireSocket(context, request);
  if (socket.version !== request.version) throw new ServiceError("conflict");
  if (request.policy !== null) await requireWebhooks(context, socket.id, requirePolicy(request.policy));
  const path = request.path === null ? null : choosePath(request.path, context.random);
  const body = {
    ...socket.body,
    pathTag: path === null ? socket.body.pathTag : context.pathTag(socket.body.label, path),
    policy: request.policy ?? socket.body.policy,
    idParameter: request.idParameter === null ? socket.body.idParameter : requireIdParameter(request.idParameter),
    updatedAtMs: context.clock(),
  };
  const written = await context.store.sockets.replace(socket.id, socket.version, body);
  if (written === null) throw new ServiceError("conflict");
  if (request.policy !== null) {
    await endSessionsApart(context, socket.id, request.policy);
    // What is said from now on is said under the new policy, and not for whoever has the key of before.
    await context.sessions.renewKey(socket.id);
  }
  return view(written, path);
}

/** Those who speak sealed and those who do not would not hear each other: they go, and come back by the new policy. */
async function endSessionsApart(context: SocketContext, socketId: string, policy: PolicyDocument): Promise<void> {
  const parsed = parsePolicy(policy);
  if (!parsed.ok) return;
  const terms = termsOf(parsed.policy);
  await context.revocation.revoke(socketId, (session) => areApart(session.terms, terms), "policy-changed");
}

/**
 * First nobody new can come in, then those who are in go, then everything that belongs to it, last the socket. Where a part of
 * the system is missing half-way, the socket stays listed and closed, and deleting it again goes on from there.
 */
export async function deleteSocketOf(
  context: SocketContext,
  who: { ownerId: string; socketId: string },
): Promise<Record<string, never>> {
  const { id } = await requireOwnSocket(context, who);
  await changeSocket(context, id, (body) => ({ ...body, goneAtMs: body.goneAtMs ?? context.clock() }));
  await context.revocation.revoke(id, () => true, "socket-deleted");
  await context.caller.call(killAppKey, { socketId: id, keyId: null });
  await context.caller.call(dropDirectory, { socketId: id, name: null });
  await context.caller.call(forgetSocketSecrets, { socketId: id });
  await forgetDecoysOf(context, id);
  for (;;) {
    const members = await context.store.members.find({ socketId: id }, { limit: 1000 });
    if (members.length === 0) break;
    for (const member of members) await context.store.members.delete(member.id);
  }
  await deleteAll(context.store.alerts, { socketId: id });
  await forgetPeople(context.store, id);
  await context.forgetBook(id);
  await context.store.sockets.delete(id);
  return {};
}

/** @param id null: there is none any more. */
export async function setSocketEnrolment(
  context: SocketContext,
  socketId: string,
  gate: string,
  id: string | null,
): Promise<void> {
  await changeSocket(context, socketId, (body) => ({ ...body, enrolments: withEnrolment(body.enrolments, gate, id) }));
}

/** For what is not the owner's own edit. */
async function changeSocket(context: SocketContext, id: string, change: (body: Socket) => Socket): Promise<void> {
  await compareAndSet(context.store.sockets, id, change, "not_found");
}

function view({ id, version, body }: Stored<Socket>, path: string | null, role: SocketRole = "owner"): SocketView {
  const { label, policy, idParameter, enrolments, createdAtMs, updatedAtMs } = body;
  const parsed = parsePolicy(policy);
  return {
    id,
    label,
    role,
    path,
    policy,
    advice: parsed.ok ? adviceOf(parsed.policy, { socketEnrolled: Object.keys(enrolments) }) : [],
    idParameter,
    authenticator: enrolments.otp !== undefined,
    createdAtMs,
    updatedAtMs,
    version,
  };
}

export function duplicate(error: unknown, path: string, message: string): unknown {
  return error instanceof DuplicateError
    ? new ServiceError("conflict", { issues: [{ path, message }], cause: error })
    : error;
}
