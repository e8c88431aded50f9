import { type Caller as CallerFacts, ServiceError } from "@portcullis/contracts";
import { hashOf, toText } from "../secrets.ts";
import { type AccountContext, normalEmail } from "./context.ts";
import { requireSecondFactorCounted, type SecondFactor } from "./second-factor.ts";

/** NIST SP 800-63B-4 AAL2: a session lives at most 24 h, and ends after an hour without use. */
export const webSessionLifeMs = 24 * 3_600_000;
export const webSessionIdleMs = 3_600_000;
/** Writing "last seen" on every request would make each read a write. */
const seenResolutionMs = 60_000;

interface SignIn {
  readonly email: string;
  readonly password: string;
  readonly secondFactor: SecondFactor | null;
  readonly address: string;
  readonly userAgent: string;
}

/**
 * Unknown address, wrong password and wrong code are one error. Only who knows the password learns that a second factor is
 * wanted, which is needed to ask for it.
 */
export async function signIn(
  context: AccountContext,
  request: SignIn,
): Promise<{ secret: string; sessionId: string; expiresAtMs: number }> {
  const account = normalEmail(request.email);
  await context.signInAttempts.require(account, request.address);
  const owner = await context.store.owners.findOne({ emailTag: context.contacts.tag(account) });
  const right = await context.passwords.matches(owner?.body.passwordHash ?? null, request.password);
  if (owner === null || !right) {
    await context.signInAttempts.failed(account, request.address);
    throw new ServiceError("unauthenticated");
  }
  await requireSecondFactorCounted(context, owner, request.secondFactor);
  await context.signInAttempts.succeeded(account, request.address);

  const now = context.clock();
  const secret = `pcs_${toText(context.random(32))}`;
  const sessionId = context.ids.id();
  await context.store.webSessions.insert(sessionId, {
    ownerId: owner.id,
    secretHash: hashOf(secret),
    createdAtMs: now,
    lastSeenAtMs: now,
    expiresAtMs: now + webSessionLifeMs,
    userAgent: request.userAgent,
    address: request.address,
  });
  return { secret, sessionId, expiresAtMs: now + webSessionLifeMs };
}

export async function authenticateCaller(
  context: AccountContext,
  request: { kind: "session" | "token"; secret: string },
): Promise<CallerFacts> {
  const found =
    request.kind === "session" ? await bySession(context, request.secret) : await byToken(context, request.secret);
  const owner = await context.store.owners.get(found.ownerId);
  if (owner === null) throw new ServiceError("unauthenticated");
  return {
    ownerId: owner.id,
    email: context.contacts.open(owner.id, owner.body.emailSealed),
    emailVerified: owner.body.emailVerifiedAtMs !== null,
    secondFactor: owner.body.secondFactor,
    credential: { kind: request.kind, id: found.id },
  };
}

async function bySession(context: AccountContext, secret: string): Promise<{ ownerId: string; id: string }> {
  const session = await context.store.webSessions.findOne({ secretHash: hashOf(secret) });
  const now = context.clock();
  if (session === null || now - session.body.lastSeenAtMs > webSessionIdleMs) throw new ServiceError("unauthenticated");
  if (now - session.body.lastSeenAtMs > seenResolutionMs) {
    // Losing this race to another request of the same session is fine: that one wrote about the same time.
    await context.store.webSessions.replace(session.id, session.version, { ...session.body, lastSeenAtMs: now });
  }
  return { ownerId: session.body.ownerId, id: session.id };
}

async function byToken(context: AccountContext, secret: string): Promise<{ ownerId: string; id: string }> {
  const token = await context.store.apiTokens.findOne({ secretHash: hashOf(secret) });
  if (token === null) throw new ServiceError("unauthenticated");
  const now = context.clock();
  if (token.body.lastUsedAtMs === null || now - token.body.lastUsedAtMs > seenResolutionMs) {
    await context.store.apiTokens.replace(token.id, token.version, { ...token.body, lastUsedAtMs: now });
  }
  return { ownerId: token.body.ownerId, id: token.id };
}
