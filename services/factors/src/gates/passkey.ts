import { passkeyChallenge } from "@portcullis/crypto";
import { z } from "zod";
import { subjectId } from "../authenticators/subject.ts";
import type { Gate, GateContext } from "./gate.ts";

const config = z.strictObject({ relyingParty: z.string(), origins: z.array(z.string()) });

/**
 * One of the member's passkeys signs a challenge that both sides derive from the conversation: somebody who relays it holds another
 * conversation with either side, and the signature fits neither.
 */
export const passkey: Gate = {
  name: "passkey",
  async prepare({ socketId, memberId, passkeys }, given) {
    const { relyingParty } = config.parse(given);
    if (memberId === null) return null;
    const found = await passkeys.store.credentials({ of: "member", socketId, member: memberId }, relyingParty);
    return { relyingParty, credentials: found.map(({ id, transports }) => ({ id, transports: [...transports] })) };
  },
  async verify(context, { ref, config: given, value }) {
    const { hid, transcript, cid, passkeys } = context;
    const parsed = config.safeParse(given);
    if (!parsed.success) return { ok: false, cause: "config" };
    const { relyingParty, origins } = parsed.data;
    const result = await passkeys.assertions.verify({
      response: jsonOf(value),
      challenge: await passkeyChallenge(transcript, cid ?? "none"),
      relyingParty,
      origins,
      subject: subjectOf(context),
      holder: `${hid}:${ref}`,
    });
    if (cid === null) return { ok: false, cause: "unasked" };
    return result.ok ? { ok: true, cause: null } : { ok: false, cause: result.cause };
  },
};

/** On an anonymous connection nobody's. */
function subjectOf({ socketId, memberId }: GateContext): string {
  return memberId === null ? "nobody" : subjectId({ of: "member", socketId, member: memberId });
}

function jsonOf(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return null;
  }
}
