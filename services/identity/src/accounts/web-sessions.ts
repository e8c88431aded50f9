import { ServiceError } from "@portcullis/contracts";
import type { AccountContext } from "./context.ts";
import { webSessionIdleMs } from "./sign-in.ts";

export async function listSessionsOf(context: AccountContext, { ownerId }: { ownerId: string }) {
  const found = await context.store.webSessions.find({ ownerId }, { limit: 1000 });
  const now = context.clock();
  return {
    sessions: found
      .filter(({ body }) => now - body.lastSeenAtMs <= webSessionIdleMs)
      .map(({ id, body }) => ({
        id,
        createdAtMs: body.createdAtMs,
        lastSeenAtMs: body.lastSeenAtMs,
        expiresAtMs: body.expiresAtMs,
        userAgent: body.userAgent,
        address: body.address,
      })),
  };
}

export async function revokeSessionOf(
  context: AccountContext,
  { ownerId, sessionId }: { ownerId: string; sessionId: string },
) {
  const session = await context.store.webSessions.get(sessionId);
  if (session === null || session.body.ownerId !== ownerId) throw new ServiceError("not_found");
  await context.store.webSessions.delete(sessionId);
  return {};
}

export async function signOutOf(context: AccountContext, request: { ownerId: string; sessionId: string }) {
  const session = await context.store.webSessions.get(request.sessionId);
  if (session !== null && session.body.ownerId === request.ownerId)
    await context.store.webSessions.delete(request.sessionId);
  return {};
}

export async function endWebSessions(
  context: AccountContext,
  ownerId: string,
  keepSessionId: string | null,
): Promise<void> {
  for (const { id } of await context.store.webSessions.find({ ownerId }, { limit: 1000 })) {
    if (id !== keepSessionId) await context.store.webSessions.delete(id);
  }
}
