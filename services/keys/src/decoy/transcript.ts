import { type DecoyDeed, type DecoyRecord, decoyBodyBytesMax, decoyDeeds } from "@portcullis/contracts";
import type { CollectionDefinition, Documents } from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import type { Clock, Logger, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";

export interface Place {
  /** That the room imitates. */
  readonly socketId: string;
  readonly room: string;
}

export interface Noted {
  readonly atMs: number;
  readonly deed: DecoyDeed;
  readonly gate?: string | null;
  readonly believed?: boolean | null;
  readonly body?: Uint8Array;
}

/** Noted, and not written yet. */
interface Waiting extends Omit<Noted, "body"> {
  readonly kept: Uint8Array | null;
  readonly bodyBytes: number | null;
}

/** What happened in each room, for the owner: sealed at rest, and only so much and so long. */
export interface Transcript {
  /** Nobody waits for it. What is too much for a room is not written down. */
  note(place: Place, noted: Noted): void;
  page(room: string, after: number, limit: number): Promise<{ records: DecoyRecord[]; next: number | null }>;
  forget(socketId: string): Promise<void>;
  /** Resolves when everything is written. */
  settled(): Promise<void>;
}

const stored = z.strictObject({
  socketId: z.string(),
  room: z.string(),
  n: z.number().int(),
  sealed: z.string(),
  expiresAtMs: z.number().int(),
});
const content = z.strictObject({
  atMs: z.number().int(),
  deed: z.enum(decoyDeeds),
  gate: z.string().nullable(),
  believed: z.boolean().nullable(),
  body: z.string().nullable(),
  bodyBytes: z.number().int().nullable(),
});

const definition: CollectionDefinition<z.infer<typeof stored>> = {
  name: "keys_decoy_records",
  schema: stored,
  indexes: [{ fields: ["room"] }, { fields: ["socketId"] }],
  expiresAtField: "expiresAtMs",
};
const digits = 8;
const idOf = (room: string, n: number) => `${room}.${String(n).padStart(digits, "0")}`;
const context = (room: string, n: number) => `decoy-record:${idOf(room, n)}`;

export const sealedTranscripts = sealedStore(definition, ({ body }, again) => ({
  ...body,
  sealed: again(body.sealed, context(body.room, body.n)),
}));

const keptMs = 90 * 86_400_000;
/** Of a room. Whoever fills it has shown what they want. */
const recordsMax = 1_000;
const bytesMax = 512 * 1024;
/** Of these, of what was heard there, whose bytes count for nothing: whoever only waits must not use up by it what is kept of what they say. */
const heardMax = 100;
/** Waiting to be written, over all rooms, and of one: a flood in one must leave no gap in what is known of another. */
const waitingMax = 4_000;
const waitingOfRoomMax = 500;

/** @param parts.state of the decoys' world */
export async function openTranscript(parts: {
  readonly documents: Documents;
  readonly state: State;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn">;
}): Promise<Transcript> {
  const { documents, state, vault, clock, log } = parts;
  const collection = await documents.collection(definition);
  let tail: Promise<void> = Promise.resolve();
  let waiting = 0;
  const ofRoom = new Map<string, number>();

  function count(room: string, one: 1 | -1): void {
    const left = (ofRoom.get(room) ?? 0) + one;
    if (left === 0) ofRoom.delete(room);
    else ofRoom.set(room, left);
    waiting += one;
  }

  async function write(
    { socketId, room }: Place,
    { atMs, deed, gate, believed, kept, bodyBytes }: Waiting,
  ): Promise<void> {
    const isHeard = deed === "heard";
    if (isHeard && (await state.add(`keys:decoy-heard:${room}`, 1, keptMs)) > heardMax) return;
    const n = await state.add(`keys:decoy-records:${room}`, 1, keptMs);
    const bytes = await state.add(`keys:decoy-bytes:${room}`, isHeard ? 0 : (kept?.length ?? 0), keptMs);
    if (n > recordsMax || bytes > bytesMax) return;
    const text = JSON.stringify({
      atMs,
      deed,
      gate: gate ?? null,
      believed: believed ?? null,
      body: kept === null ? null : Buffer.from(kept).toString("base64url"),
      bodyBytes,
    } satisfies z.infer<typeof content>);
    const sealed = Buffer.from(vault.wrap(Buffer.from(text), context(room, n))).toString("base64url");
    await collection.insert(idOf(room, n), { socketId, room, n, sealed, expiresAtMs: clock() + keptMs });
  }

  function read({ room, n, sealed }: z.infer<typeof stored>): DecoyRecord {
    const opened = vault.unwrap(Buffer.from(sealed, "base64url"), context(room, n));
    const { body, ...rest } = content.parse(JSON.parse(Buffer.from(opened).toString("utf8")));
    return { n, ...rest, body: body === null ? null : new Uint8Array(Buffer.from(body, "base64url")) };
  }

  return {
    note(place, { body, ...rest }) {
      if (waiting >= waitingMax || (ofRoom.get(place.room) ?? 0) >= waitingOfRoomMax) return;
      count(place.room, 1);
      // A copy: what waits must not hold on to whole messages, or a flood of them would fill the memory.
      const kept = body === undefined ? null : Uint8Array.from(body.subarray(0, decoyBodyBytesMax));
      const noted = { ...rest, kept, bodyBytes: body?.length ?? null };
      // One after the other: so they are numbered in the order in which they happened here.
      tail = tail
        .then(() => write(place, noted))
        .catch((error: unknown) => log.warn("a transcript has a gap", { socket: place.socketId }, error))
        .finally(() => count(place.room, -1));
    },
    async page(room, after, limit) {
      const found = await collection.find({ room }, { after: idOf(room, after), limit: limit + 1 });
      const records = found.slice(0, limit).map(({ body }) => read(body));
      const last = records.at(-1);
      return { records, next: found.length > limit && last !== undefined ? last.n : null };
    },
    async forget(socketId) {
      for (;;) {
        const found = await collection.find({ socketId }, { limit: 1000 });
        if (found.length === 0) return;
        for (const { id } of found) await collection.delete(id);
      }
    },
    settled: () => tail,
  };
}
