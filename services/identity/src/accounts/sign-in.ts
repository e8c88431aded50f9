import { type Caller as CallerFacts, ServiceError } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { afterwards } from "../afterwards.ts";
import { hashOf } from "../secrets.ts";
import { soundCanaryToken } from "./canary-token.ts";
import { type AccountContext, findOwner, normalEmail } from "./context.ts";
import { requireSecondFactor, type SecondFactor } from "./second-factor.ts";
import type { Owner } from "./store.ts";
import { isLiveWebSession, startWebSession } from "./web-sessions.ts";

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
  const { email, password, address } = request;
  const owner = await context.attempts.password.judge(normalEmail(email), address, async () => {
    const found = await findOwner(context, email);
    return (await context.passwords.matches(found?.body.passwordHash ?? null, password)) ? found : null;
  });
  if (owner === null) throw new ServiceError("unauthenticated");
  await requireSecondFactor(context, owner, request.secondFactor, address);

  const session = await startWebSession(context, owner, request);
  // Looked at once more: a second factor that was confirmed meanwhile was not asked for. (A new password voids the session by
  // its epoch.)
  const now = await context.store.owners.get(owner.id);
  if (now === null || now.body.secondFactor !== owner.body.secondFactor) {
    await context.store.webSessions.delete(session.sessionId);
    throw new ServiceError("unauthenticated");
  }
  return session;
}

export async function authenticateCaller(
  context: AccountContext,
  request: { kind: "session" | "token"; secret: string },
): Promise<CallerFacts> {
  const { owner, id } =
    request.kind === "session" ? await bySession(context, request.secret) : await byToken(context, request.secret);
  return {
    ownerId: owner.id,
    email: context.contacts.open(owner.id, owner.body.emailSealed),
    emailVerified: owner.body.emailVerifiedAtMs !== null,
    secondFactor: owner.body.secondFactor,
    credential: { kind: request.kind, id },
  };
}

interface Authenticated {
  readonly owner: Stored<Owner>;
  /** Of the session or token. */
  readonly id: string;
}

async function bySession(context: AccountContext, secret: string): Promise<Authenticated> {
  const session = await context.store.webSessions.findOne({ secretHash: hashOf(secret) });
  const owner = session === null ? null : await context.store.owners.get(session.body.ownerId);
  const now = context.clock();
  if (session === null || owner === null || !isLiveWebSession(session.body, owner.body, now))
    throw new ServiceError("unauthenticated");
  if (now - session.body.lastSeenAtMs > seenResolutionMs) {
    // Losing this race to another request of the same session is fine: that one wrote about the same time.
    await context.store.webSessions.replace(session.id, session.version, { ...session.body, lastSeenAtMs: now });
  }
  return { owner, id: session.id };
}

async function byToken(context: AccountContext, secret: string): Promise<Authenticated> {
  const token = await context.store.apiTokens.findOne({ secretHash: hashOf(secret) });
  const owner = token === null ? null : await context.store.owners.get(token.body.ownerId);
  if (token === null || owner === null || token.body.tokenEpoch !== owner.body.tokenEpoch)
    throw new ServiceError("unauthenticated");
  if (token.body.canary) {
    afterwards(() => soundCanaryToken(context, owner, token));
    throw new ServiceError("unauthenticated");
  }
  const now = context.clock();
  if (token.body.lastUsedAtMs === null || now - token.body.lastUsedAtMs > seenResolutionMs) {
    await context.store.apiTokens.replace(token.id, token.version, { ...token.body, lastUsedAtMs: now });
  }
  return { owner, id: token.id };
}
