import type { FarewellReason } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** Of what a gate was answered with, where something stands on it: the gate, whose it was, and which of its enrolments. */
export const enrolment = z.strictObject({ gate: z.string(), of: z.enum(["member", "socket"]), id: z.string() });
export type Enrolment = z.infer<typeof enrolment>;

const session = z.strictObject({
  sid: z.string(),
  hid: z.string(),
  socketId: z.string(),
  /** Stable id of the member, null for an anonymous session. */
  memberId: z.string().nullable(),
  /** The name others see. */
  member: z.string().nullable(),
  keyId: z.string().nullable(),
  edge: z.string(),
  gates: z.array(z.string()),
  /** Enrolments that it stands on: it ends with any of them. */
  enrolments: z.array(enrolment),
  acceptedAtMs: z.number().int(),
  expiresAtMs: z.number().int(),
});
export type Session = z.infer<typeof session>;

/** A session is live exactly as long as its entry is there: revoking is deleting, and expiry needs no sweeper. */
export interface SessionRegistry {
  add(session: Session): Promise<void>;
  get(sid: string): Promise<Session | null>;
  ofSocket(socketId: string): Promise<Session[]>;
  /** In the order of their ids, those behind `after`. A session that ends meanwhile may leave a page shorter. */
  page(socketId: string, page: { readonly after: string | null; readonly limit: number }): Promise<Session[]>;
  /** Of concurrent callers exactly one gets true. */
  remove(session: Session, why: FarewellReason | null): Promise<boolean>;
  /** Why a session that is no longer there went. */
  whyGone(sid: string): Promise<FarewellReason>;
}

const goneMemoryMs = 3_600_000;
const reason = z.enum(["kicked", "key-revoked", "member-removed", "socket-deleted", "expired"]);

export function createSessionRegistry(state: State, clock: Clock): SessionRegistry {
  const entry = (sid: string) => `identity:session:${sid}`;
  const index = (socketId: string) => `identity:socket-sessions:${socketId}`;
  const gone = (sid: string) => `identity:session-gone:${sid}`;

  async function get(sid: string): Promise<Session | null> {
    const found = await state.get(entry(sid));
    return found === null ? null : session.parse(JSON.parse(Buffer.from(found.value).toString("utf8")));
  }

  return {
    async add(added) {
      // The index first: a revocation that runs in between finds the id and, finding no entry yet, leaves it to the check
      // that follows every accept.
      await state.join(index(added.socketId), added.sid, added.expiresAtMs);
      await state.create(
        entry(added.sid),
        Buffer.from(JSON.stringify(added)),
        Math.max(1, added.expiresAtMs - clock()),
      );
    },
    get,
    async ofSocket(socketId) {
      const found = await Promise.all((await state.members(index(socketId))).map(get));
      return found.filter((live) => live !== null);
    },
    async page(socketId, { after, limit }) {
      const sids = (await state.members(index(socketId))).sort().filter((sid) => after === null || sid > after);
      const found: Session[] = [];
      // Of those who left without a word the index still has the id.
      for (let from = 0; found.length < limit && from < sids.length; from += limit) {
        const live = await Promise.all(sids.slice(from, from + limit).map(get));
        found.push(...live.filter((each) => each !== null));
      }
      return found.slice(0, limit);
    },
    async remove(removed, why) {
      // The reason first: an edge that finds the session gone asks for it at once. Of two removers the first one's reason stands.
      if (why !== null) await state.create(gone(removed.sid), Buffer.from(why), goneMemoryMs);
      if (!(await state.delete(entry(removed.sid)))) return false;
      await state.leave(index(removed.socketId), removed.sid);
      return true;
    },
    async whyGone(sid) {
      const found = await state.get(gone(sid));
      const parsed = reason.safeParse(found === null ? null : Buffer.from(found.value).toString("utf8"));
      return parsed.success ? parsed.data : "expired";
    },
  };
}
