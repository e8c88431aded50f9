import type { Server } from "@portcullis/bus";
import { readSessionWords } from "@portcullis/contracts";
import type { LiveSessions } from "./live-sessions.ts";

/** What the owner reads to a member, or hears from them: the words of the connection that a session is on. */
export async function serveWords(server: Server, live: Pick<LiveSessions, "get">): Promise<void> {
  await server.serve(readSessionWords, async ({ socketId, sids }) => {
    const found = await Promise.all(sids.map(async (sid) => ({ sid, session: await live.get(sid) })));
    return {
      words: found.flatMap(({ sid, session }) =>
        session?.socketId === socketId ? [{ sid, words: session.words }] : [],
      ),
    };
  });
}
