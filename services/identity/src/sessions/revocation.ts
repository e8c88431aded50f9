import type { Caller } from "@portcullis/bus";
import { closeNameOf, closeSession, type FarewellReason, sealFarewells } from "@portcullis/contracts";
import { closeCodes } from "@portcullis/protocol";
import type { Logger } from "@portcullis/runtime";
import { type Audit, present } from "../audit/audit.ts";
import type { SessionRegistry } from "./registry.ts";
import { placeOfSession, type Session } from "./session.ts";

const farewellBatch = 256;

/** The account, or the session of a program of the owner's. */
export interface PutOutBy {
  readonly by?: string;
  readonly bySession?: string;
}

export interface Revocation {
  /** Ends the live sessions of a socket that `which` picks, on all edges. @returns how many. */
  revoke(socketId: string, which: (session: Session) => boolean, why: FarewellReason): Promise<number>;
  /**
   * The same for one, at the cost of one: whoever can bring it about must not have all the sessions of a socket read each time.
   * @param who did it, where that is not what the reason says
   * @returns false where there was none on this socket
   */
  revokeOne(
    whose: { readonly socketId: string; readonly sid: string },
    why: FarewellReason,
    who?: PutOutBy,
  ): Promise<boolean>;
}

/**
 * Revoking is done when the entry is deleted: nothing accepts the session any more. Then the connection is told, sealed, because
 * a raw close only ever means "come back"; if that push is lost, the edge finds out at its next check.
 */
export function createRevocation({
  caller,
  sessions,
  log,
  audit,
}: {
  caller: Caller;
  sessions: SessionRegistry;
  log: Logger;
  audit: Audit;
}): Revocation {
  return {
    async revoke(socketId, which, why) {
      const picked = (await sessions.ofSocket(socketId)).filter(which);
      const ended: Session[] = [];
      for (const session of picked) {
        if (!(await sessions.remove(session, why))) continue;
        ended.push(session);
        // Not waited for: thousands may end with one change, which is recorded itself.
        void audit.note(socketId, endOf(session, why));
      }
      for (let from = 0; from < ended.length; from += farewellBatch)
        await tell(ended.slice(from, from + farewellBatch), why);
      return ended.length;
    },
    async revokeOne({ socketId, sid }, why, { by, bySession } = {}) {
      const session = await sessions.get(sid);
      if (session?.socketId !== socketId || !(await sessions.remove(session, why))) return false;
      await tell([session], why);
      const about = bySession === undefined ? {} : { about: { bySession } };
      await audit.note(socketId, { ...endOf(session, why), ...present({ by }), ...about });
      return true;
    },
  };

  async function tell(ended: readonly Session[], why: FarewellReason): Promise<void> {
    const frames = new Map<string, Uint8Array>();
    try {
      const reply = await caller.call(sealFarewells, { sids: ended.map(({ sid }) => sid), what: why });
      for (const { sid, frame } of reply.frames) frames.set(sid, frame);
    } catch {
      // The connection must go even when nobody can say goodbye properly.
      log.warn("farewells could not be sealed", { count: ended.length, why });
    }
    const { code: closeCode } = closeCodes[closeNameOf(why)];
    for (const session of ended) {
      const { sid } = session;
      try {
        caller.emit(closeSession, {
          sid,
          socketId: placeOfSession(session),
          frame: frames.get(sid) ?? null,
          closeCode,
        });
      } catch {
        log.warn("a revoked session could not be announced; its edge will notice at the next check", { sid });
      }
    }
  }
}

/** For the book of its socket. */
export function endOf({ sid, room, memberId, keyId }: Session, cause: string) {
  const ids = { session: sid, ...present({ member: memberId, key: keyId }) };
  // It never was on the socket.
  if (room !== null) return { event: "decoy" as const, cause: "left", ...ids, about: { why: cause } };
  return { event: "session-ended" as const, cause, ...ids };
}
