import {
  assertMemberPasskey,
  type beginPasskeyTicket,
  type exchangePasskey,
  ServiceError,
} from "@portcullis/contracts";
import { networkOf } from "@portcullis/runtime";
import { z } from "zod";
import { fromText, tagOf, toText } from "../secrets.ts";
import type { TicketContext } from "./context.ts";
import { admissible, claimedOf, mintFor } from "./member.ts";

type Begin = z.output<(typeof beginPasskeyTicket)["request"]>;
type Exchange = z.output<(typeof exchangePasskey)["request"]>;
type Claim = Pick<Begin, "label" | "path" | "name" | "relyingParty">;

/** For a person, a finger and a device that has to be fetched. */
const signInMs = 5 * 60_000;
const signInKey = (signInId: string) => `identity:passkey-ticket:${signInId}`;
const pending = z.strictObject({ challenge: z.string(), claim: z.string() });

/**
 * Looks nothing up, so that nobody learns by it who is there or enrolled. That is also why no credentials are listed: those of a member
 * would be the same at the socket's path and at each path behind it, which made-up ones could not be without telling which paths lead to a
 * socket. A device knows its own: it is asked to keep every passkey that is registered here under its name (WebAuthn section 6.2.2).
 */
export async function beginPasskeyTicketOf(context: TicketContext, request: Begin) {
  await context.passkeyBegins.require(networkOf(request.address));
  const challenge = toText(context.random(32));
  const signInId = context.ids.id();
  const entry = Buffer.from(JSON.stringify({ challenge, claim: claimTag(context, request) }));
  await context.state.create(signInKey(signInId), entry, signInMs);
  return { signInId, challenge };
}

/**
 * A member's passkey for a ticket. Whatever the answer is, it ends its challenge: of any number at once one is judged. An unknown member, a
 * challenge that is over or was for somebody or somewhere else, and a wrong signature are the same: the same look-ups, the same counters,
 * one verification.
 *
 * @throws {ServiceError} unauthenticated, too_many
 */
export async function exchangePasskeyOf(context: TicketContext, request: Exchange) {
  const { attempts, caller } = context;
  const { signInId, relyingParty, origin, response, address, returnOrigin } = request;
  const { account, found } = await claimedOf(context, request);
  const right = await attempts.passkey.judge(account, address, async () => {
    const challenge = await takeChallenge(context, request);
    const { isTheirs } = await caller.call(assertMemberPasskey, {
      challenge: challenge ?? context.random(32),
      relyingParty,
      origin,
      response,
      subject: found === null ? null : { of: "member", socketId: found.socket.id, member: found.member.id },
      requestId: signInId,
    });
    // Without its enrolment a passkey that was left behind would be a way in that nobody can close.
    const isEnrolled = found?.member.body.enrolments.passkey !== undefined;
    return admissible(context, challenge !== null && isTheirs && isEnrolled ? found : null, address);
  });
  if (right === null) throw new ServiceError("unauthenticated");
  // Of a passkey that is removed meanwhile the member is another version, and the ticket useless.
  return mintFor(context, right, "passkey", returnOrigin);
}

/** @returns null where there is none any more, or it was for another claim; it is used up all the same. */
async function takeChallenge(
  context: TicketContext,
  { signInId, ...claim }: Claim & { readonly signInId: string },
): Promise<Uint8Array | null> {
  const taken = await context.state.take(signInKey(signInId));
  if (taken === null) return null;
  const entry = pending.parse(JSON.parse(Buffer.from(taken).toString("utf8")));
  return entry.claim === claimTag(context, claim) ? fromText(entry.challenge) : null;
}

/** A path is a secret, and some can be guessed: neither it nor its bare hash is stored. */
function claimTag({ claimKey }: TicketContext, { label, path, name, relyingParty }: Claim): string {
  return tagOf(claimKey, JSON.stringify([label, path, name, relyingParty]));
}
