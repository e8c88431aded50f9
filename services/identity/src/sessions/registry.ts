import {
  consumersKey,
  type FarewellReason,
  farewellReason,
  liveSessionKey,
  liveSessionView,
  removalsKey,
  removalsTtlMs,
} from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { endAtMs, viewOf } from "../step-ups/progress.ts";
import { placeOfSession, type Session, session } from "./session.ts";

/** With what `keys` reads of it, made anew with each write. */
const entry = session.extend(liveSessionView.shape);

/** A session is live exactly as long as its entry is there: revoking is deleting, and expiry needs no sweeper. */
export interface SessionRegistry {
  add(session: Session): Promise<void>;
  get(sid: string): Promise<Session | null>;
  /**
   * Reads and writes where `change` wants to: of concurrent callers each sees what the one before wrote.
   * @param change null leaves it as it is
   * @returns what was there before, and whether it was changed; null where there is no such session
   */
  change(
    sid: string,
    change: (session: Session) => Session | null,
  ): Promise<{ readonly before: Session; readonly changed: boolean } | null>;
  ofSocket(socketId: string): Promise<Session[]>;
  /** In the order of their ids, those behind `after`. A session that ends meanwhile may leave a page shorter. */
  page(socketId: string, page: { readonly after: string | null; readonly limit: number }): Promise<Session[]>;
  /** How many of the owner's programs are on a socket. */
  consumers(socketId: string): Promise<number>;
  /**
   * Of concurrent callers exactly one gets true.
   * @param why `left`: whoever had it gave it up. Null: nobody is on it any more, or ever was. Otherwise somebody is put out, which is
   * counted in the same step: from then on nothing is sealed under a key that they have.
   */
  remove(session: Session, why: FarewellReason | "left" | null): Promise<boolean>;
  /** Those who stay speak under another group key from now on, though nobody was put out. */
  renewKey(socketId: string): Promise<void>;
  /** Why a session that is no longer there went. */
  whyGone(sid: string): Promise<FarewellReason>;
  /** Whether somebody was put out, or left and meant it, not long ago. False for one that is there, and for one that nobody ever was on. */
  isOver(sid: string): Promise<boolean>;
  /** To be said before more is asked of it, or demanded. */
  noteAsked(sid: string): Promise<void>;
  /** Whether that was said not long ago, also of one that is not there any more. */
  wasAsked(sid: string): Promise<boolean>;
}

const goneMemoryMs = 3_600_000;
/** Longer than a handshake is remembered by which somebody could come back. */
const leftMemoryMs = 300_000;
const triesMax = 10;

export function createSessionRegistry(state: State, clock: Clock): SessionRegistry {
  const index = (socketId: string) => `identity:socket-sessions:${socketId}`;
  const gone = (sid: string) => `identity:session-gone:${sid}`;
  const askedKey = (sid: string) => `identity:session-asked:${sid}`;

  async function find(sid: string): Promise<{ readonly session: Session; readonly version: string } | null> {
    const found = await state.get(liveSessionKey(sid));
    if (found === null) return null;
    const { view: _, ...kept } = entry.parse(JSON.parse(Buffer.from(found.value).toString("utf8")));
    return { session: kept, version: found.version };
  }

  async function get(sid: string): Promise<Session | null> {
    return (await find(sid))?.session ?? null;
  }

  /**
   * What nobody comes back to in time ends by itself, and so does what was not asked again, or has not answered: whoever should have seen to
   * that may be gone.
   */
  function ttlMs(session: Session): number {
    const {
      expiresAtMs,
      lostAtMs,
      terms: { resumeMs },
    } = session;
    const endsAtMs = lostAtMs === null ? endAtMs(session) : Math.min(expiresAtMs, lostAtMs + resumeMs);
    return Math.max(1, endsAtMs - clock());
  }

  return {
    async add(added) {
      // The index first: a revocation that runs in between finds the id and, finding no entry yet, leaves it to the check
      // that follows every accept.
      await state.join(index(added.socketId), added.sid, added.expiresAtMs);
      await state.create(liveSessionKey(added.sid), encode(added), ttlMs(added));
      // Behind it: whoever is found here is there.
      if (added.role === "consumer") await state.join(consumersKey(added.socketId), added.sid, added.expiresAtMs);
    },
    get,
    async change(sid, change) {
      for (let tries = 0; tries < triesMax; tries += 1) {
        const found = await find(sid);
        if (found === null) return null;
        const { session: before, version } = found;
        const next = change(before);
        if (next === null) return { before, changed: false };
        if ((await state.replace(liveSessionKey(sid), version, encode(next), ttlMs(next))) !== null)
          return { before, changed: true };
      }
      throw new Error("a session is being fought over");
    },
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
    async consumers(socketId) {
      const sids = await state.members(consumersKey(socketId));
      const found = await Promise.all(sids.map(async (sid) => ({ sid, session: await get(sid) })));
      // Who lost their connection and never came back is over without anybody having said so.
      const over = found.filter(({ session }) => session === null);
      await Promise.all(over.map(({ sid }) => state.leave(consumersKey(socketId), sid)));
      return found.length - over.length;
    },
    async remove(removed, why) {
      const { sid, socketId, role } = removed;
      // The reason first: an edge that finds the session gone asks for it at once. Of two removers the first one's reason stands.
      if (why !== null) await state.create(gone(sid), Buffer.from(why), why === "left" ? leftMemoryMs : goneMemoryMs);
      const key = liveSessionKey(sid);
      const wasThere =
        why === null || why === "left"
          ? await state.delete(key)
          : await state.deleteAndCount(key, removalsKey(placeOfSession(removed)), removalsTtlMs);
      if (wasThere) await state.leave(index(socketId), sid);
      if (wasThere && role === "consumer") await state.leave(consumersKey(socketId), sid);
      return wasThere;
    },
    async renewKey(socketId) {
      await state.add(removalsKey(socketId), 1, removalsTtlMs);
    },
    async whyGone(sid) {
      const found = await state.get(gone(sid));
      const parsed = farewellReason.safeParse(found === null ? null : Buffer.from(found.value).toString("utf8"));
      return parsed.success ? parsed.data : "expired";
    },
    async isOver(sid) {
      return (await state.get(gone(sid))) !== null;
    },
    async noteAsked(sid) {
      await state.create(askedKey(sid), Uint8Array.of(1), leftMemoryMs);
    },
    async wasAsked(sid) {
      return (await state.get(askedKey(sid))) !== null;
    },
  };
}

function encode(value: Session): Uint8Array {
  return Buffer.from(JSON.stringify({ ...value, view: viewOf(value) }));
}
