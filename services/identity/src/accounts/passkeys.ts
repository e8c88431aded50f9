import {
  assertPasskey,
  beginPasskey,
  finishPasskey,
  forgetPasskey,
  type PasskeyView,
  readPasskeys,
  requireRelyingParty,
  ServiceError,
} from "@portcullis/contracts";
import { networkOf } from "@portcullis/runtime";
import { z } from "zod";
import { fromText, toText } from "../secrets.ts";
import { type AccountContext, requireConfirmedAddress, requireOwner, updateOwner } from "./context.ts";
import { confirmByPassword, confirmBySecondFactor, type SecondFactor } from "./second-factor.ts";
import { endWebSessions, keepWebSession, startWebSession } from "./web-sessions.ts";

type Response = Record<string, unknown>;

/** For a person, a finger and a device that has to be fetched. */
const signInMs = 5 * 60_000;
const signInKey = (signInId: string) => `identity:passkey-sign-in:${signInId}`;
const pendingSignIn = z.strictObject({ challenge: z.string() });
/** As long as `factors` takes an answer, and a little more. */
const registrationMs = 6 * 60_000;
const registrationKey = (ownerId: string, registrationId: string) =>
  `identity:passkey-registration:${ownerId}:${registrationId}`;
const pendingRegistration = z.strictObject({ passwordEpoch: z.number().int() });

/** A passkey outlives the session that makes it and signs in by itself: it takes what a token takes. */
export async function beginOwnerPasskeyOf(
  context: AccountContext,
  request: { ownerId: string; password: string; secondFactor: SecondFactor | null },
) {
  const owner = await confirmByPassword(context, request.ownerId, request.password);
  requireConfirmedAddress(owner.body);
  await confirmBySecondFactor(context, owner, request.secondFactor);
  const relyingParty = requireRelyingParty(context.relyingParty);
  const account = context.contacts.open(owner.id, owner.body.emailSealed).slice(0, 128);
  const begun = await context.caller.call(beginPasskey, {
    subject: subjectOf(owner.id),
    relyingParty,
    account,
  });
  const { passwordEpoch } = owner.body;
  const value = Buffer.from(JSON.stringify({ passwordEpoch }));
  await context.state.create(registrationKey(owner.id, begun.registrationId), value, registrationMs);
  return begun;
}

/** Looked at once more when the passkey is there: whoever takes the account back meanwhile may not have found it. */
export async function finishOwnerPasskeyOf(
  context: AccountContext,
  {
    ownerId,
    ...answer
  }: { ownerId: string; registrationId: string; origin: string; response: Response; label: string },
): Promise<PasskeyView> {
  const taken = await context.state.take(registrationKey(ownerId, answer.registrationId));
  if (taken === null) return requireMade(null);
  const { passwordEpoch } = pendingRegistration.parse(JSON.parse(Buffer.from(taken).toString("utf8")));
  const subject = subjectOf(ownerId);
  const { passkey } = await context.caller.call(finishPasskey, { subject, ...answer });
  const made = requireMade(passkey);
  const owner = await requireOwner(context, ownerId);
  if (owner.body.passwordEpoch === passwordEpoch) return made;
  await context.caller.call(forgetPasskey, { subject, passkeyId: made.id });
  return requireMade(null);
}

/** @throws {ServiceError} invalid: the registration is over, or this is no answer to it. */
export function requireMade(passkey: PasskeyView | null): PasskeyView {
  if (passkey !== null) return passkey;
  const message = "is no answer to this registration, which is over now: begin again";
  throw new ServiceError("invalid", { issues: [{ path: "response", message }] });
}

export async function listOwnerPasskeysOf(context: AccountContext, { ownerId }: { ownerId: string }) {
  return context.caller.call(readPasskeys, { subject: subjectOf(ownerId) });
}

/** With it go all other sessions: some of them may be of whoever had the device. */
export async function removeOwnerPasskeyOf(
  context: AccountContext,
  request: { ownerId: string; passkeyId: string; password: string; keepSessionId: string },
): Promise<Record<string, never>> {
  const { ownerId, passkeyId, keepSessionId } = request;
  await confirmByPassword(context, ownerId, request.password);
  const { existed } = await context.caller.call(forgetPasskey, { subject: subjectOf(ownerId), passkeyId });
  // Also where it was gone: removing it may have stopped half-way.
  const changed = await updateOwner(context, ownerId, (body) => ({ ...body, passwordEpoch: body.passwordEpoch + 1 }));
  await keepWebSession(context, changed, keepSessionId);
  await endWebSessions(context, ownerId, keepSessionId);
  if (!existed) throw new ServiceError("not_found");
  return {};
}

/** Of nobody yet: which passkeys there are for an address is nobody's business, and the device knows its own. */
export async function beginPasskeySignInOf(context: AccountContext, { address }: { address: string }) {
  const relyingParty = requireRelyingParty(context.relyingParty);
  await context.quotas.passkeySignIn.require(networkOf(address));
  const challenge = toText(context.random(32));
  const signInId = context.ids.id();
  await context.state.create(signInKey(signInId), Buffer.from(JSON.stringify({ challenge })), signInMs);
  return { signInId, challenge, relyingParty };
}

/**
 * The device has verified its person, and the signature is good for this server alone: both factors at once, and none that can be
 * relayed (NIST SP 800-63B-4 section 3.2.5).
 */
export async function finishPasskeySignInOf(
  context: AccountContext,
  request: { signInId: string; origin: string; response: Response; address: string; userAgent: string },
): Promise<{ secret: string; sessionId: string; expiresAtMs: number }> {
  const { signInId, origin, response } = request;
  // Whatever the answer is, it was the one.
  const taken = await context.state.take(signInKey(signInId));
  if (taken === null) throw new ServiceError("unauthenticated");
  const { challenge } = pendingSignIn.parse(JSON.parse(Buffer.from(taken).toString("utf8")));
  const { ownerId, passkeyId } = await context.caller.call(assertPasskey, {
    challenge: fromText(challenge),
    relyingParty: requireRelyingParty(context.relyingParty),
    origin,
    response,
    requestId: signInId,
  });
  if (ownerId === null) throw new ServiceError("unauthenticated");
  const owner = await requireOwner(context, ownerId);
  const session = await startWebSession(context, owner, request);
  // Looked at once more: whoever removes this passkey meanwhile may not have found this session. Another one does not vouch for it.
  const { passkeys } = await context.caller.call(readPasskeys, { subject: subjectOf(ownerId) });
  if (passkeys.some(({ id }) => id === passkeyId)) return session;
  await context.store.webSessions.delete(session.sessionId);
  throw new ServiceError("unauthenticated");
}

function subjectOf(ownerId: string) {
  return { of: "owner" as const, ownerId };
}
