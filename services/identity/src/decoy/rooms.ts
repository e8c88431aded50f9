import { type Collection, type Documents, insertWithin, type Stored } from "@portcullis/documents";
import type { Clock } from "@portcullis/runtime";
import type { Rooms, State } from "@portcullis/state";
import { z } from "zod";
import { tagOf } from "../secrets.ts";

const room = z.strictObject({
  socketId: z.string(),
  keyId: z.string().nullable(),
  /** Name of the member, as claimed. */
  member: z.string().nullable(),
  /** HMAC of the network. */
  network: z.string(),
  /** By which the same intruder is known again. */
  holder: z.string(),
  sinceMs: z.number().int(),
  lastMs: z.number().int(),
  expiresAtMs: z.number().int(),
});
export type Room = z.infer<typeof room>;

/** Whose room it is: of another key, network or member it is another one. */
export interface Intruder {
  readonly socketId: string;
  readonly keyId: string | null;
  readonly memberId: string | null;
  readonly member: string | null;
  readonly network: string;
}

export interface Landing {
  readonly room: string;
  /** Nobody was there before. */
  readonly isNew: boolean;
}

/** Who is in which room. For a day after they last came an intruder gets the same one, whatever else has changed. */
export interface Intruders {
  /** Null: they were in none of late. Changes nothing. */
  roomOf(who: Intruder): Promise<string | null>;
  /** @returns null where a socket has as many rooms as it may have: whoever has many networks could make any number of them */
  land(who: Intruder): Promise<Landing | null>;
  list(socketId: string, page: { readonly after: string | null; readonly limit: number }): Promise<Stored<Room>[]>;
  get(socketId: string, id: string): Promise<Stored<Room> | null>;
  /** Whoever was there is looked at anew when they come again. */
  release(found: Stored<Room>): Promise<void>;
  forget(socketId: string): Promise<void>;
}

const dayMs = 86_400_000;
const stickyMs = dayMs;
/** As long as what was written down of it. */
const keptMs = 90 * dayMs;
const roomsMax = 500;

/** @param parts.state of the decoys' world */
export async function openIntruders(parts: {
  readonly documents: Documents;
  readonly state: State;
  readonly rooms: Rooms;
  readonly holderKey: Uint8Array;
  readonly clock: Clock;
}): Promise<Intruders> {
  const { documents, state, rooms, holderKey, clock } = parts;
  const collection: Collection<Room> = await documents.collection({
    name: "identity_decoys",
    schema: room,
    indexes: [{ fields: ["socketId"] }],
    expiresAtField: "expiresAtMs",
  });
  const sticky = (holder: string) => `identity:decoy:${holder}`;
  const holderOf = ({ socketId, keyId, memberId, network }: Intruder) =>
    tagOf(holderKey, JSON.stringify([socketId, keyId, memberId, network]));

  /** @param extend they are there again */
  async function known(holder: string, extend: boolean): Promise<string | null> {
    const found = await state.get(sticky(holder));
    if (found === null) return null;
    // Of two that come at once either has made it longer.
    if (extend) await state.replace(sticky(holder), found.version, found.value, stickyMs);
    return Buffer.from(found.value).toString("utf8");
  }

  async function touch(id: string): Promise<void> {
    const found = await collection.get(id);
    const now = clock();
    // Written by somebody else meanwhile it says the same.
    if (found !== null)
      await collection.replace(id, found.version, { ...found.body, lastMs: now, expiresAtMs: now + keptMs });
  }

  return {
    roomOf: (who) => known(holderOf(who), false),
    async land({ memberId, ...who }) {
      const holder = holderOf({ memberId, ...who });
      const before = await known(holder, true);
      if (before !== null) {
        await touch(before);
        return { room: before, isNew: false };
      }
      const [id, now] = [rooms.make(), clock()];
      const body = { ...who, holder, sinceMs: now, lastMs: now, expiresAtMs: now + keptMs };
      const { socketId } = who;
      const limit = { max: roomsMax, count: () => collection.count({ socketId }) };
      if ((await insertWithin(collection, id, body, limit)) === null) return null;
      if ((await state.create(sticky(holder), Buffer.from(id), stickyMs)) !== null) return { room: id, isNew: true };
      // They came twice at once, and the other one was faster.
      await collection.delete(id);
      const winner = await known(holder, false);
      return winner === null ? null : { room: winner, isNew: false };
    },
    list: (socketId, { after, limit }) => collection.find({ socketId }, { after, limit }),
    async get(socketId, id) {
      const found = await collection.get(id);
      return found?.body.socketId === socketId ? found : null;
    },
    async release({ id, body: { holder } }) {
      const found = await state.get(sticky(holder));
      // They may have another room by now.
      if (found !== null && Buffer.from(found.value).toString("utf8") === id)
        await state.delete(sticky(holder), found.version);
    },
    async forget(socketId) {
      for (;;) {
        const found = await collection.find({ socketId }, { limit: 1000 });
        if (found.length === 0) return;
        for (const each of found) {
          await state.delete(sticky(each.body.holder));
          await collection.delete(each.id);
        }
      }
    },
  };
}
