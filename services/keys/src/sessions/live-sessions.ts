import { type LiveSessionView, liveSessionKey, liveSessionView } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { SessionSecrets, StoredSession } from "./session-secrets.ts";

/** Sessions that have not ended, by the word of `identity`, who ends them. */
export interface LiveSessions {
  /** Null where it has ended, or is not known. */
  get(sid: string): Promise<StoredSession | null>;
  /** Whether it has not ended by now. What was begun before it ended was in time. */
  is(sid: string): Promise<boolean>;
  /** What is due of it now; null where it has ended. */
  view(sid: string): Promise<LiveSessionView | null>;
}

export function createLiveSessions(state: State, secrets: SessionSecrets, clock: Clock): LiveSessions {
  const is = async (sid: string) => (await state.get(liveSessionKey(sid))) !== null;
  return {
    is,
    async view(sid) {
      const found = await state.get(liveSessionKey(sid));
      return found === null ? null : liveSessionView.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))).view;
    },
    async get(sid) {
      const [found, isLive] = await Promise.all([secrets.get(sid), is(sid)]);
      return found !== null && isLive && clock() < found.expiresAtMs ? found : null;
    },
  };
}
