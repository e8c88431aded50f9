import type { Clock, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** One message as whoever cannot read it sees it: how long after the one before, and how long. */
export interface Beat {
  readonly pauseMs: number;
  readonly bytes: number;
}

/** What the real traffic of a socket looks like. Of what is said, and by whom, it knows nothing. */
export interface Shapes {
  /** Something real was said. Nobody waits. */
  note(socketId: string, bytes: number): void;
  of(socketId: string): Promise<readonly Beat[]>;
  /** Writes what was noted since. */
  flush(): Promise<void>;
}

const stored = z.array(z.strictObject({ pauseMs: z.number().int(), bytes: z.number().int() })).max(200);
const beatsMax = 200;
const pauseMsMax = 3_600_000;
const keptMs = 30 * 86_400_000;
/** Sockets whose beats wait to be written. */
const socketsMax = 1_000;

/** @param state of the decoys' world */
export function createShapes(state: State, clock: Clock, log: Pick<Logger, "warn">): Shapes {
  const key = (socketId: string) => `keys:decoy-shape:${socketId}`;
  /** In order of age. */
  const noted = new Map<string, { lastMs: number; beats: Beat[] }>();

  async function find(socketId: string) {
    const found = await state.get(key(socketId));
    if (found === null) return { beats: [], version: null };
    return {
      beats: stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))),
      version: found.version,
    };
  }

  return {
    note(socketId, bytes) {
      const now = clock();
      const own = noted.get(socketId);
      if (own === undefined) {
        const [oldest] = noted.keys();
        if (noted.size >= socketsMax && oldest !== undefined) noted.delete(oldest);
        noted.set(socketId, { lastMs: now, beats: [] });
        return;
      }
      if (own.beats.length < beatsMax)
        own.beats.push({ pauseMs: Math.min(pauseMsMax, Math.max(0, now - own.lastMs)), bytes });
      own.lastMs = now;
    },
    of: async (socketId) => (await find(socketId)).beats,
    async flush() {
      for (const [socketId, own] of noted) {
        const added = own.beats.splice(0);
        if (added.length === 0) continue;
        try {
          const { beats, version } = await find(socketId);
          const value = Buffer.from(JSON.stringify([...beats, ...added].slice(-beatsMax)));
          // Where another replica was faster, these are lost: there are enough of them.
          if (version === null) await state.create(key(socketId), value, keptMs);
          else await state.replace(key(socketId), version, value, keptMs);
        } catch (error) {
          log.warn("the shape of a socket's traffic could not be written", { socket: socketId }, error);
        }
      }
    },
  };
}
