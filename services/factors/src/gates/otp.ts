import type { AuthenticatorSubject } from "@portcullis/contracts";
import { z } from "zod";
import type { Gate, GateContext } from "./gate.ts";

/** `of`: whose authenticator app, the member's own or the one whose QR code the owner hands out for the socket. */
const config = z.strictObject({ of: z.enum(["member", "socket"]) });

/** A code of an authenticator app (RFC 6238). */
export const otp: Gate = {
  name: "otp",
  async verify(context, item) {
    const { hid, codes } = context;
    const parsed = config.safeParse(item.config);
    const subject = parsed.success ? subjectOf(context, parsed.data.of) : null;
    const used = await codes.use({ subject, status: "active", code: item.value, holder: `${hid}:${item.ref}` });
    if (used.ok) return { ok: true, cause: null };
    return { ok: false, cause: parsed.success ? used.cause : "config" };
  },
};

function subjectOf({ socketId, memberId }: GateContext, of: "member" | "socket"): AuthenticatorSubject | null {
  if (of === "socket") return { of, socketId };
  return memberId === null ? null : { of, socketId, member: memberId };
}
