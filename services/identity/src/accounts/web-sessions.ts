import { ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { z } from "zod";
import { fromText, hashOf, toText } from "../secrets.ts";
import type { AccountContext } from "./context.ts";
import { clientPlace, deleteAll, type Owner, type WebSession } from "./store.ts";

/** NIST SP 800-63B-4 AAL2: a session lives at most 24 h, and ends after an hour without use. */
export const webSessionLifeMs = 24 * 3_600_000;
export const webSessionIdleMs = 3_600_000;
/** More than anybody has browsers; who signs in once more loses the session that was used least recently. */
const perOwnerMax = 100;

interface Client {
  readonly address: string;
  readonly userAgent: string;
}

const storedClient = z.strictObject({ address: z.string(), userAgent: z.string() });

/** @returns the secret, which is not kept. */
export async function startWebSession(
  context: AccountContext,
  owner: Stored<Owner>,
  { address, userAgent }: Client,
): Promise<{ secret: string; sessionId: string; expiresAtMs: number }> {
  const now = context.clock();
  const secret = `pcs_${toText(context.random(32))}`;
  const sessionId = context.ids.id();
  const client = Buffer.from(JSON.stringify({ address, userAgent }));
  await context.store.webSessions.insert(sessionId, {
    ownerId: owner.id,
    secretHash: hashOf(secret),
    passwordEpoch: owner.body.passwordEpoch,
    createdAtMs: now,
    lastSeenAtMs: now,
    expiresAtMs: now + webSessionLifeMs,
    clientSealed: toText(context.vault.wrap(client, clientPlace(sessionId))),
  });
  await makeRoom(context, owner.id, sessionId);
  return { secret, sessionId, expiresAtMs: now + webSessionLifeMs };
}

/** Behind the write: of many who sign in at once the last one sees all others. */
async function makeRoom(context: AccountContext, ownerId: string, newest: string): Promise<void> {
  const found = await context.store.webSessions.find({ ownerId }, { limit: 1000 });
  const oldestFirst = found
    .filter(({ id }) => id !== newest)
    .toSorted((a, b) => a.body.lastSeenAtMs - b.body.lastSeenAtMs);
  for (const { id } of oldestFirst.slice(0, Math.max(0, found.length - perOwnerMax)))
    await context.store.webSessions.delete(id);
}

/** Neither forgotten for an hour nor from before the last change of password. */
export function isLiveWebSession(session: WebSession, owner: Owner, now: number): boolean {
  return now - session.lastSeenAtMs <= webSessionIdleMs && session.passwordEpoch === owner.passwordEpoch;
}

export async function listSessionsOf(context: AccountContext, { ownerId }: { ownerId: string }) {
  const owner = await context.store.owners.get(ownerId);
  const found = owner === null ? [] : await context.store.webSessions.find({ ownerId }, { limit: 1000 });
  const now = context.clock();
  return {
    sessions: found
      .filter(({ body }) => owner !== null && isLiveWebSession(body, owner.body, now))
      .map(({ id, body }) => ({
        id,
        createdAtMs: body.createdAtMs,
        lastSeenAtMs: body.lastSeenAtMs,
        expiresAtMs: body.expiresAtMs,
        ...clientOf(context, id, body),
      })),
  };
}

function clientOf(context: AccountContext, sessionId: string, { clientSealed }: WebSession): Client {
  const opened = context.vault.unwrap(fromText(clientSealed), clientPlace(sessionId));
  return storedClient.parse(JSON.parse(Buffer.from(opened).toString("utf8")));
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

/** The session that changed the password, or confirmed a second factor, goes on under the new epoch. */
export async function keepWebSession(context: AccountContext, owner: Stored<Owner>, sessionId: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const session = await context.store.webSessions.get(sessionId);
    const { passwordEpoch } = owner.body;
    // Only what was live until a moment ago.
    if (session?.body.ownerId !== owner.id || session.body.passwordEpoch !== passwordEpoch - 1) return;
    const kept = { ...session.body, passwordEpoch };
    if ((await context.store.webSessions.replace(sessionId, session.version, kept)) !== null) return;
  }
}

/** They are void already, by the owner's new `passwordEpoch`; this clears them away. */
export async function endWebSessions(
  context: AccountContext,
  ownerId: string,
  keepSessionId: string | null,
): Promise<void> {
  await deleteAll(context.store.webSessions, { ownerId }, keepSessionId);
}
