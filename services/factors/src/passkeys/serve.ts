import {
  assertMemberPasskey,
  assertPasskey,
  beginPasskey,
  finishPasskey,
  forgetPasskey,
  readPasskeys,
} from "@portcullis/contracts";
import type { Platform } from "@portcullis/platform";
import { subjectId } from "../authenticators/subject.ts";
import type { Assertions } from "./assertion.ts";
import type { Registrations } from "./registration.ts";
import type { PasskeyStore } from "./store.ts";

/** No subject is named so: those are hashes. */
const nobody = "nobody";

/** Answers the `factors.passkeys.*` contracts. */
export async function servePasskeys(
  { server, log }: Pick<Platform, "server" | "log">,
  parts: { readonly store: PasskeyStore; readonly registrations: Registrations; readonly assertions: Assertions },
): Promise<void> {
  const { store, registrations, assertions } = parts;
  await server.serve(beginPasskey, async ({ subject, relyingParty, account }) => {
    const { registrationId, options } = await registrations.begin(subject, { relyingParty, account });
    return { registrationId, options: { ...options } };
  });
  await server.serve(finishPasskey, async ({ subject, ...answer }) => ({
    passkey: await registrations.finish(subject, answer),
  }));
  await server.serve(readPasskeys, async ({ subject }) => ({ passkeys: [...(await store.list(subject))] }));
  await server.serve(forgetPasskey, async ({ subject, passkeyId }) => {
    const gone = await store.forget(subject, passkeyId);
    return { existed: gone > 0, left: (await store.list(subject)).length };
  });
  await server.serve(assertPasskey, async ({ origin, requestId, ...asked }) => {
    const result = await assertions.verify({
      ...asked,
      origins: [origin],
      subject: null,
      // No handshake has such a holder: a handshake's id holds a dot before its colon.
      holder: `sign-in:${requestId}`,
    });
    if (!result.ok) log.info("a passkey did not sign in", { cause: result.cause });
    const ownerId = result.ok ? result.passkey.ownerId : null;
    return result.ok && ownerId !== null
      ? { ownerId, passkeyId: result.passkey.id }
      : { ownerId: null, passkeyId: null };
  });
  await server.serve(assertMemberPasskey, async ({ origin, requestId, subject, ...asked }) => {
    const result = await assertions.verify({
      ...asked,
      origins: [origin],
      subject: subject === null ? nobody : subjectId(subject),
      holder: `ticket:${requestId}`,
    });
    if (!result.ok) log.info("a passkey got no ticket", { cause: result.cause });
    return { isTheirs: result.ok };
  });
}
