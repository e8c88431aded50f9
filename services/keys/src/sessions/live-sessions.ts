import { liveSessionKey } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { SessionSecrets, StoredSession } from "./session-secrets.ts";

/** Sessions that have not ended, by the word of `identity`, who ends them. */
export interface LiveSessions {
  /** Null where it has ended, or is not known. */
  get(sid: string): Promise<StoredSession | null>;
  /** Whether it has not ended by now. What was begun before it ended was in time. */
  is(sid: string): Promise<boolean>;
}

export function createLiveSessions(state: State, secrets: SessionSecrets, clock: Clock): LiveSessions {
  const is = async (sid: string) => (await state.get(liveSessionKey(sid))) !== null;
  return {
    is,
    async get(sid) {
      const [found, isLive] = await Promise.all([secrets.get(sid), is(sid)]);
      return found !== null && isLive && clock() < found.expiresAtMs ? found : null;
    },
  };
}
