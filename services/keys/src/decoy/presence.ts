import type { State } from "@portcullis/state";
import type { LiveSessions } from "../sessions/live-sessions.ts";
import type { StartingSession, StoredSession } from "../sessions/session-secrets.ts";

export interface Present {
  readonly sid: string;
  readonly session: StoredSession;
}

/** A room in which somebody is. */
export interface Peopled {
  readonly room: string;
  /** That it imitates. */
  readonly socketId: string;
  readonly present: readonly Present[];
}

/** Who is in which room, for whoever has something to say there. */
export interface RoomPresence {
  entered(session: StartingSession): Promise<void>;
  rooms(): Promise<Peopled[]>;
}

const presentKey = "keys:decoy-present";
/** Sessions that are looked at each time, of all rooms: where an intruder has many more of them, some rooms are quiet, also those of others. */
const lookedAtMax = 500;

/** @param state of the decoys' world */
export function createRoomPresence(state: State, live: Pick<LiveSessions, "get" | "is">): RoomPresence {
  return {
    async entered({ sid, expiresAtMs }) {
      await state.join(presentKey, sid, expiresAtMs);
    },
    async rooms() {
      const found = new Map<string, { readonly socketId: string; readonly present: Present[] }>();
      for (const sid of (await state.members(presentKey)).toSorted().slice(0, lookedAtMax)) {
        const session = await live.get(sid);
        if (session === null || session.decoyOf === null) {
          // Over, unless its keys are still on their way.
          if (!(await live.is(sid))) await state.leave(presentKey, sid);
          continue;
        }
        const room = found.get(session.socketId) ?? { socketId: session.decoyOf, present: [] };
        room.present.push({ sid, session });
        found.set(session.socketId, room);
      }
      return [...found].map(([room, rest]) => ({ room, ...rest }));
    },
  };
}
