import { ServiceError } from "@portcullis/contracts";
import { signProblemOf } from "@portcullis/protocol";
import type { State } from "@portcullis/state";
import { z } from "zod";
import { hashOf, toText } from "../secrets.ts";
import type { SocketContext } from "./context.ts";
import { memberOf, replaceSign } from "./signs.ts";

const lifeMs = 24 * 3_600_000;
const tokenShape = /^psi_[A-Za-z0-9_-]{43}$/;

const invitation = z.strictObject({
  socketId: z.string(),
  memberId: z.string(),
  /** The sign that the member had when it was made: once there is another one, it is good for nothing. */
  enrolment: z.string().nullable(),
  expiresAtMs: z.number().int(),
});

/**
 * By a token from the owner a member sets their own sign, which then is chosen by nobody else. 256 random bits, kept as a hash for a day, good once. Until it is used it
 * lets whoever has it choose what the member will take for the server's mark: it is handed over like a password.
 */
export function createSignInvitations(context: SocketContext, state: State) {
  const key = (token: string) => `identity:sign-invitation:${hashOf(token)}`;

  return {
    async invite(request: { ownerId: string; socketId: string; name: string }) {
      const { id, body } = await memberOf(context, request);
      const token = `psi_${toText(context.random(32))}`;
      const expiresAtMs = context.clock() + lifeMs;
      const value = { socketId: body.socketId, memberId: id, enrolment: body.enrolments.ident ?? null, expiresAtMs };
      await state.create(key(token), Buffer.from(JSON.stringify(value)), lifeMs);
      return { token, expiresAtMs };
    },

    /** @throws {ServiceError} invalid for what is no sign, which costs no token; not_found, alike for a token that never was, was used or is over */
    async setOwn({ token, art }: { token: string; art: string | null }) {
      const problem = art === null ? null : signProblemOf(art);
      if (problem !== null) throw new ServiceError("invalid", { issues: [{ path: "art", message: problem }] });
      const taken = tokenShape.test(token) ? await state.take(key(token)) : null;
      if (taken === null) throw new ServiceError("not_found");
      const found = invitation.parse(JSON.parse(Buffer.from(taken).toString("utf8")));
      try {
        const [socket, member] = await Promise.all([
          context.store.sockets.get(found.socketId),
          context.store.members.get(found.memberId),
        ]);
        const isThere = socket?.body.goneAtMs === null && member?.body.goneAtMs === null;
        if (!isThere || (member.body.enrolments.ident ?? null) !== found.enrolment) throw new ServiceError("not_found");
        const set = await replaceSign(context, member, art);
        const about = { what: "sign-set-by-member" };
        await context.audit.note(found.socketId, { event: "member-changed", member: member.id, about });
        return set;
      } catch (error) {
        // Nothing was set: what failed on the way is tried again with the same token.
        const leftMs = found.expiresAtMs - context.clock();
        if (error instanceof ServiceError && error.code === "unavailable" && leftMs > 0)
          await state.create(key(token), taken, leftMs);
        throw error;
      }
    },
  };
}
