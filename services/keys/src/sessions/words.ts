import type { Server } from "@portcullis/bus";
import { readSessionWords } from "@portcullis/contracts";
import type { Logger } from "@portcullis/runtime";
import type { LiveSessions } from "./live-sessions.ts";

/** Of a session that lives, on this socket; null where there is none, or where its secrets do not open: it must not hide those of others. */
export type WordsOf = (socketId: string, sid: string) => Promise<string | null>;

export function createWordsOf(live: Pick<LiveSessions, "get">, log: Pick<Logger, "error">): WordsOf {
  return async (socketId, sid) => {
    try {
      const session = await live.get(sid);
      return session?.socketId === socketId ? session.words : null;
    } catch (error) {
      log.error("the words of a session cannot be read", { sid }, error);
      return null;
    }
  };
}

/** What the owner reads to a member, or hears from them: the words of the connection that a session is on. */
export async function serveWords(server: Server, wordsOf: WordsOf): Promise<void> {
  await server.serve(readSessionWords, async ({ socketId, sids }) => {
    const found = await Promise.all(sids.map(async (sid) => ({ sid, words: await wordsOf(socketId, sid) })));
    return { words: found.flatMap(({ sid, words }) => (words === null ? [] : [{ sid, words }])) };
  });
}
