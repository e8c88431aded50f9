import type { Clock, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import type { Ghosts, Line } from "./ghosts.ts";
import type { Peopled, RoomPresence } from "./presence.ts";
import type { Scripts } from "./scripts.ts";
import type { Shapes } from "./shape.ts";

/** Has things be said in rooms where somebody is. */
export interface Traffic {
  /** Everything that is due by now. */
  play(): Promise<void>;
}

const stored = z.strictObject({
  /** Of the line that comes next. */
  next: z.number().int(),
  /** When; null: it is over. */
  dueMs: z.number().int().nullable(),
});
type Position = z.infer<typeof stored>;

interface Piece {
  readonly lines: readonly (() => Line)[];
  readonly pausesMs: readonly number[];
  readonly repeat: boolean;
}

const ttlMs = 86_400_000;
/** Less would be no shape. */
const beatsMin = 20;
const pauseMsMin = 100;
const bodyBytesMax = 4_096;

/**
 * The owner's script, or without one the shape of the socket's real traffic; without either the room is quiet. How far a room has come is one entry: of all
 * replicas, the one that moves it on says what is due, so that another one goes on where one dies.
 */
export function createTraffic(parts: {
  /** Of the decoys' world. */
  readonly state: State;
  readonly presence: RoomPresence;
  readonly scripts: Pick<Scripts, "get">;
  readonly shapes: Pick<Shapes, "of">;
  readonly ghosts: Ghosts;
  readonly random: (length: number) => Uint8Array;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}): Traffic {
  const { state, presence, scripts, shapes, ghosts, random, clock, log } = parts;
  const key = (room: string) => `keys:decoy-play:${room}`;

  async function pieceFor(socketId: string): Promise<Piece | null> {
    const script = await scripts.get(socketId);
    if (script !== null) {
      const { entries, repeat } = script;
      return {
        lines: entries.map(({ from, text }) => () => ({ from, body: new TextEncoder().encode(text) })),
        pausesMs: entries.map(({ afterMs }) => afterMs),
        repeat,
      };
    }
    const beats = await shapes.of(socketId);
    if (beats.length < beatsMin) return null;
    return {
      lines: beats.map(({ bytes }) => () => ({ from: null, body: opaque(Math.min(bytes, bodyBytesMax)) })),
      pausesMs: beats.map(({ pauseMs }) => Math.max(pauseMsMin, pauseMs)),
      repeat: true,
    };
  }

  /** As long as a real one, and as little to be read as one that its people have sealed themselves. */
  function opaque(bytes: number): Uint8Array {
    return new TextEncoder().encode(Buffer.from(random(bytes)).toString("base64").slice(0, bytes));
  }

  async function playIn(peopled: Peopled): Promise<void> {
    const { room, socketId } = peopled;
    const found = await state.get(key(room));
    const now = clock();
    const at: Position | null =
      found === null ? null : stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8")));
    if (at !== null && (at.dueMs === null || now < at.dueMs)) return;
    const piece = await pieceFor(socketId);
    if (piece === null) return;
    // Another script may be shorter than the one before.
    const index = at === null || at.next >= piece.lines.length ? 0 : at.next;
    const following = at === null ? index : index + 1;
    const isOver = following >= piece.lines.length;
    const next = isOver ? 0 : following;
    const pauseMs = piece.pausesMs[next] ?? pauseMsMin;
    const moved: Position = { next, dueMs: isOver && !piece.repeat ? null : now + pauseMs };
    const value = Buffer.from(JSON.stringify(moved));
    const isMine =
      found === null
        ? (await state.create(key(room), value, ttlMs)) !== null
        : (await state.replace(key(room), found.version, value, ttlMs)) !== null;
    const line = piece.lines[index];
    if (isMine && at !== null && line !== undefined) await ghosts.say(peopled, line());
  }

  return {
    async play() {
      for (const peopled of await presence.rooms()) {
        try {
          await playIn(peopled);
        } catch (error) {
          log.warn("nothing could be said in a decoy", { socket: peopled.socketId }, error);
        }
      }
    },
  };
}
