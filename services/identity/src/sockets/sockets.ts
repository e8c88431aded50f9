import { forgetSocketSecrets, killAppKey, ServiceError, type SocketView } from "@portcullis/contracts";
import { DuplicateError, type Stored } from "@portcullis/documents";
import { parsePolicy } from "@portcullis/policy";
import { requireSocket, type SocketContext } from "./context.ts";
import { choosePath, pathTagOf, requireIdParameter, requireLabel } from "./paths.ts";
import type { Socket } from "./store.ts";

const perOwnerMax = 1000;

type PolicyDocument = Record<string, unknown>;

export async function createSocketOf(
  context: SocketContext,
  request: { ownerId: string; label: string; path: string | null; idParameter: string | null; policy: PolicyDocument },
): Promise<SocketView> {
  const label = requireLabel(request.label);
  const path = choosePath(request.path, context.random);
  requirePolicy(request.policy);
  if ((await context.store.sockets.count({ ownerId: request.ownerId })) >= perOwnerMax) {
    throw new ServiceError("invalid", {
      issues: [{ path: "label", message: `an owner has at most ${perOwnerMax} sockets` }],
    });
  }
  const now = context.clock();
  try {
    const socket = await context.store.sockets.insert(context.ids.id(), {
      ownerId: request.ownerId,
      label,
      pathTag: pathTagOf(context.pathKey, label, path),
      policy: request.policy,
      idParameter: requireIdParameter(request.idParameter),
      authenticator: false,
      createdAtMs: now,
      updatedAtMs: now,
    });
    return view(socket, path);
  } catch (error) {
    throw duplicate(error, "label", "is taken");
  }
}

export async function listSocketsOf(
  context: SocketContext,
  { ownerId }: { ownerId: string },
): Promise<{ sockets: SocketView[] }> {
  const sockets = await context.store.sockets.find({ ownerId }, { limit: perOwnerMax });
  return { sockets: sockets.map((socket) => view(socket, null)) };
}

export async function getSocketOf(
  context: SocketContext,
  who: { ownerId: string; socketId: string },
): Promise<SocketView> {
  return view(await requireSocket(context, who), null);
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
  if (request.policy !== null) requirePolicy(request.policy);
  const path = request.path === null ? null : choosePath(request.path, context.random);
  const body = {
    ...socket.body,
    pathTag: path === null ? socket.body.pathTag : pathTagOf(context.pathKey, socket.body.label, path),
    policy: request.policy ?? socket.body.policy,
    idParameter: request.idParameter === null ? socket.body.idParameter : requireIdParameter(request.idParameter),
    updatedAtMs: context.clock(),
  };
  const written = await context.store.sockets.replace(socket.id, request.version, body);
  if (written === null) throw new ServiceError("conflict");
  return view(written, path);
}

/** First nobody new can come in, then everything that belongs to it goes, last those who are in. */
export async function deleteSocketOf(
  context: SocketContext,
  who: { ownerId: string; socketId: string },
): Promise<Record<string, never>> {
  const socket = await requireSocket(context, who);
  await context.store.sockets.delete(socket.id);
  await context.caller.call(killAppKey, { socketId: socket.id, keyId: null });
  await context.caller.call(forgetSocketSecrets, { socketId: socket.id });
  for (;;) {
    const members = await context.store.members.find({ socketId: socket.id }, { limit: 1000 });
    if (members.length === 0) break;
    for (const member of members) await context.store.members.delete(member.id);
  }
  await context.revocation.revoke(socket.id, () => true, "socket-deleted");
  return {};
}

/** Compare-and-set with a few tries, for what is not the owner's own edit. */
export async function setSocketAuthenticator(
  context: SocketContext,
  socketId: string,
  authenticator: boolean,
): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const socket = await context.store.sockets.get(socketId);
    if (socket === null) throw new ServiceError("not_found");
    if ((await context.store.sockets.replace(socketId, socket.version, { ...socket.body, authenticator })) !== null)
      return;
  }
  throw new ServiceError("conflict");
}

function requirePolicy(document: PolicyDocument): void {
  const parsed = parsePolicy(document);
  if (parsed.ok) return;
  throw new ServiceError("invalid", {
    issues: parsed.issues.map(({ path, message }) => ({ path: path === "" ? "policy" : `policy.${path}`, message })),
  });
}

function view({ id, version, body }: Stored<Socket>, path: string | null): SocketView {
  const { label, policy, idParameter, createdAtMs, updatedAtMs } = body;
  return { id, label, path, policy, idParameter, createdAtMs, updatedAtMs, version };
}

export function duplicate(error: unknown, path: string, message: string): unknown {
  return error instanceof DuplicateError
    ? new ServiceError("conflict", { issues: [{ path, message }], cause: error })
    : error;
}
