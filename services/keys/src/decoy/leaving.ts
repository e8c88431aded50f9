import type { Clock } from "@portcullis/runtime";
import type { World } from "../world.ts";
import type { Transcript } from "./transcript.ts";

/** Somebody has left a room: nobody there is told, since nobody is there, and it is written down. @returns false: they were in none */
export function createLeaving(
  { secrets }: Pick<World, "secrets">,
  transcript: Pick<Transcript, "note">,
  clock: Clock,
): (sid: string, hid: string) => Promise<boolean> {
  return async (sid, hid) => {
    const session = await secrets.get(sid);
    if (session === null || session.decoyOf === null) return false;
    // Otherwise they have gone on over another connection.
    if (session.hid === hid)
      transcript.note({ socketId: session.decoyOf, room: session.socketId }, { atMs: clock(), deed: "left" });
    return true;
  };
}
