import { type KeyRole, killAppKey, mintAppKey, readAppKeys, ServiceError } from "@portcullis/contracts";
import { requireSocket, type SocketContext } from "./context.ts";

interface Mine {
  readonly ownerId: string;
  readonly socketId: string;
}

export async function createAppKeyOf(
  context: SocketContext,
  request: Mine & { label: string; role: KeyRole; canary?: boolean | undefined },
) {
  const socket = await requireSocket(context, request);
  if (request.canary === true && request.role !== "member")
    throw new ServiceError("invalid", { issues: [{ path: "canary", message: "only with the role member" }] });
  const minted = await context.caller.call(mintAppKey, {
    socketId: socket.id,
    label: request.label,
    role: request.role,
    canary: request.canary,
  });
  // A deletion of the socket that began meanwhile may have come by before this key was there.
  await requireSocket(context, request).catch(async (error: unknown) => {
    await context.caller.call(killAppKey, { socketId: socket.id, keyId: null });
    throw error;
  });
  return minted;
}

export async function listAppKeysOf(context: SocketContext, request: Mine) {
  const socket = await requireSocket(context, request);
  return context.caller.call(readAppKeys, { socketId: socket.id });
}

/** The key dies before the sessions are listed: whoever is accepted in between is refused by `keys`, whoever was, is on the list. */
export async function revokeAppKeyOf(
  context: SocketContext,
  request: Mine & { keyId: string },
): Promise<{ closed: number }> {
  const socket = await requireSocket(context, request);
  await context.caller.call(killAppKey, { socketId: socket.id, keyId: request.keyId });
  return {
    closed: await context.revocation.revoke(socket.id, (session) => session.keyId === request.keyId, "key-revoked"),
  };
}
