import { createHmac } from "node:crypto";
import { placedMessage } from "@portcullis/contracts";
import { encodeMessageDown } from "@portcullis/protocol";
import { sealForGroup } from "../messages/place.ts";
import type { Ticks } from "../messages/ticks.ts";
import type { World } from "../world.ts";
import type { Peopled } from "./presence.ts";
import type { Transcript } from "./transcript.ts";

export interface Line {
  /** Null: nobody with a name. */
  readonly from: string | null;
  readonly body: Uint8Array;
}

export interface Ghosts {
  /** Says it to whoever is in the room, as if somebody else were there. */
  say(peopled: Peopled, line: Line): Promise<void>;
}

/** As long as a session can live, and more. */
const ttlMs = 25 * 3_600_000;

/** @param world that of the decoys */
export function createGhosts(
  world: World & { readonly ticks: Ticks },
  transcript: Pick<Transcript, "note">,
  nameKey: Uint8Array,
): Ghosts {
  const { order, groups, history, receivers, writer, caller, ids, clock, ticks } = world;
  /** Of the shape of a session's, the same for the same name in the same room. */
  const sidOf = (room: string, from: string | null) =>
    createHmac("sha256", nameKey)
      .update(JSON.stringify([room, from]))
      .digest("base64url")
      .slice(0, 22);

  return {
    async say({ room, socketId, present }, { from, body }) {
      const [first] = present;
      if (first === undefined) return;
      const { mode, sealed, history: kept } = first.session;
      const sid = sidOf(room, from);
      const isForOne = mode === "consumer";
      const counter = (await order.of(sid)).counter + 1;
      // What the owner's program says is said by nobody with a name.
      const head = { sid, msgid: ids.id(), ...(from === null || isForOne ? {} : { member: from }) };
      const message = { sequence: counter, head, body };
      const written = kept === null || isForOne ? null : history.entry(room, message, kept);
      const placed = await order.place({ socketId: room, sid, counter, body, isForOne }, ttlMs, written);
      if (placed.is !== "placed") return;
      transcript.note({ socketId, room }, { atMs: clock(), deed: "heard", body });
      if (isForOne) {
        for (const one of present) await receivers.say(one, { ...message, head: { ...head, to: one.sid } });
        return;
      }
      const { place } = placed;
      if (kept !== null) await history.trim(room, place, kept);
      const epoch = sealed ? await groups.toSeal(room) : null;
      const plaintext = encodeMessageDown({ ...message, head: { ...head, place } });
      const frame = epoch === null ? plaintext : await sealForGroup(writer, epoch, plaintext);
      caller.emit(placedMessage, { epoch: epoch?.epoch ?? null, frame }, room);
      if (epoch !== null) ticks.after(room);
    },
  };
}
