import { createHmac } from "node:crypto";
import { ServiceError } from "@portcullis/contracts";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** Where the messages of a socket, and those of each session, have come to. */
export interface Order {
  /** What the session has said, as far as it has a place. */
  of(sid: string): Promise<Progress>;
  /** How many places the socket has given. */
  last(socketId: string): Promise<number>;
  /**
   * The place of a message: the next one of its socket, and for the very same message always the same, on whichever replica.
   *
   * @param ttlMs for which the session may go on
   * @returns `stale` for one that has its place and was not the last; nothing is to be done about it. `gap`: the one before it has not come
   * @throws {ServiceError} busy
   */
  place(message: Unplaced, ttlMs: number): Promise<Placed>;
}

export interface Unplaced {
  readonly socketId: string;
  readonly sid: string;
  /** The sender's counter. */
  readonly counter: number;
  readonly body: Uint8Array;
}

export type Placed =
  | { readonly is: "placed"; readonly place: number }
  | { readonly is: "stale" }
  | { readonly is: "gap" };

const progress = z.strictObject({
  counter: z.number().int(),
  /** HMAC of the body: a plain hash of a short message would be the message. */
  tag: z.string(),
  place: z.number().int(),
});
export type Progress = z.infer<typeof progress>;

const nothingYet: Progress = { counter: -1, tag: "", place: 0 };
const triesMax = 5;
/** Longer than anybody counts from it. */
const placesTtlMs = 10 * 365 * 86_400_000;

/** @param tagKey 32 bytes, the same on all replicas. */
export function createOrder(state: State, tagKey: Uint8Array): Order {
  const orderKey = (sid: string) => `keys:order:${sid}`;
  const placesKey = (socketId: string) => `keys:places:${socketId}`;
  const tagOf = ({ sid, counter, body }: Unplaced) =>
    createHmac("sha256", tagKey).update(`${sid} ${counter} `).update(body).digest("base64url");

  async function find(sid: string): Promise<{ readonly said: Progress; readonly version: string | null }> {
    const found = await state.get(orderKey(sid));
    if (found === null) return { said: nothingYet, version: null };
    return { said: progress.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))), version: found.version };
  }

  return {
    of: async (sid) => (await find(sid)).said,
    last: (socketId) => state.sum(placesKey(socketId)),
    async place(message, ttlMs) {
      const { socketId, sid, counter } = message;
      const tag = tagOf(message);
      for (let tries = 0; tries < triesMax; tries += 1) {
        const { said, version } = await find(sid);
        if (counter === said.counter && tag === said.tag) return { is: "placed", place: said.place };
        if (counter <= said.counter) return { is: "stale" };
        if (counter > said.counter + 1) return { is: "gap" };
        // A place that is then not used, because another replica took the same message, is a gap that nothing is missing from.
        const place = await state.add(placesKey(socketId), 1, placesTtlMs);
        const value = Buffer.from(JSON.stringify({ counter, tag, place }));
        const written =
          version === null
            ? await state.create(orderKey(sid), value, ttlMs)
            : await state.replace(orderKey(sid), version, value, ttlMs);
        if (written !== null) return { is: "placed", place };
      }
      throw new ServiceError("busy");
    },
  };
}
