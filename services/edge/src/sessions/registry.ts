import { closeCodes } from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";

/** The end of a session as `identity` ordered it. */
export interface Farewell {
  /** The sealed record that says why; null where the keys are gone already. */
  readonly frame: Uint8Array | null;
  readonly closeCode: number;
}

export interface LiveSession {
  readonly sid: string;
  /** Of the connection. */
  readonly hid: string;
  readonly socketId: string;
  /** Of the key with which it opens sealed messages; null where they are not sealed. Rises when it is given another. */
  epoch: number | null;
  /** A frame made by `serverFrame`. */
  write(frame: Buffer): void;
  flush(): void;
  /**
   * A frame for this session alone.
   * @param ref names what is in it; null: it may come twice
   * @returns whether it was written, now or before
   */
  deliver(ref: string | null, frame: Uint8Array): boolean;
  end(farewell: Farewell): void;
  /** Its time has come: nothing is delivered any more, and it ends with the word that says so, where that can be had. */
  expire(): void;
  /** What is asked of it has changed. */
  nudge(): void;
}

export interface SessionRegistry {
  /** @returns the farewell where the session was ended before it arrived here; it is then not registered */
  add(session: LiveSession): Farewell | null;
  remove(session: LiveSession): void;
  /** Ends the session if it is here, else remembers for a minute that it must not begin. */
  end(sid: string, farewell: Farewell): void;
  /** Ends it if it is here; remembers nothing. */
  endLive(sid: string, farewell: Farewell): void;
  /** Likewise, for one whose time has come. */
  expireLive(sid: string): void;
  /** @returns false where that session is not here, on that connection. */
  deliver(to: { readonly sid: string; readonly hid: string }, ref: string | null, frame: Uint8Array): boolean;
  /** @returns whether it is here, on this connection */
  nudge(sid: string, hid: string): boolean;
  held(): { readonly sid: string; readonly hid: string }[];
}

const rememberedMs = 60_000;
const rememberedMax = 10_000;

export function createSessionRegistry(clock: Clock): SessionRegistry {
  const live = new Map<string, LiveSession>();
  // In order of age, because each entry lives equally long.
  const ended = new Map<string, Farewell & { readonly untilMs: number }>();

  const forget = () => {
    const nowMs = clock();
    for (const [sid, { untilMs }] of ended) {
      if (untilMs > nowMs && ended.size <= rememberedMax) return;
      ended.delete(sid);
    }
  };

  return {
    add(session) {
      const farewell = ended.get(session.sid);
      if (farewell !== undefined && farewell.untilMs > clock()) return farewell;
      // It has gone on over another connection to this very edge.
      live.get(session.sid)?.end({ frame: null, closeCode: closeCodes.replaced.code });
      live.set(session.sid, session);
      return null;
    },
    remove(session) {
      if (live.get(session.sid) === session) live.delete(session.sid);
    },
    end(sid, farewell) {
      const session = live.get(sid);
      if (session !== undefined) return session.end(farewell);
      ended.delete(sid);
      ended.set(sid, { ...farewell, untilMs: clock() + rememberedMs });
      forget();
    },
    endLive(sid, farewell) {
      live.get(sid)?.end(farewell);
    },
    expireLive(sid) {
      live.get(sid)?.expire();
    },
    deliver({ sid, hid }, ref, frame) {
      const session = live.get(sid);
      return session?.hid === hid && session.deliver(ref, frame);
    },
    nudge(sid, hid) {
      const session = live.get(sid);
      if (session?.hid !== hid) return false;
      session.nudge();
      return true;
    },
    held: () => [...live.values()].map(({ sid, hid }) => ({ sid, hid })),
  };
}
