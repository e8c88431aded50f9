import type { Clock } from "@portcullis/runtime";
import type { World } from "../world.ts";
import type { Transcript } from "./transcript.ts";

/** Somebody has left a room: nobody there is told, since nobody is there, and it is written down. */
export function createLeaving(
  { secrets }: Pick<World, "secrets">,
  transcript: Pick<Transcript, "note">,
  clock: Clock,
): (sid: string, hid: string) => Promise<void> {
  return async (sid, hid) => {
    const session = await secrets.get(sid);
    if (session === null || session.decoyOf === null || session.hid !== hid) return;
    transcript.note({ socketId: session.decoyOf, room: session.socketId }, { atMs: clock(), deed: "left" });
  };
}
