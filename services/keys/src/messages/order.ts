import { createHmac } from "node:crypto";
import { ServiceError } from "@portcullis/contracts";
import type { CountedWrite, State } from "@portcullis/state";
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
   * @param kept what is written in the same step
   * @returns `stale` for one that has its place and was not the last; nothing is to be done about it. `gap`: the one before it has not come
   * @throws {ServiceError} busy
   */
  place(message: Unplaced, ttlMs: number, kept: CountedWrite["kept"]): Promise<Placed>;
}

export interface Unplaced {
  readonly socketId: string;
  readonly sid: string;
  /** The sender's counter. */
  readonly counter: number;
  readonly body: Uint8Array;
  /** True: it is nothing to anybody else, and must leave no gap in what they hear. It is counted with others of its kind. */
  readonly isForOne?: boolean;
}

export type Placed =
  | { readonly is: "placed"; readonly place: number }
  | { readonly is: "stale" }
  | { readonly is: "gap" };

export interface Progress {
  /** -1: nothing yet. */
  readonly counter: number;
  readonly place: number;
}

const stored = z.strictObject({
  counter: z.number().int(),
  /** HMAC of the body: a plain hash of a short message would be the message. */
  tag: z.string(),
});

const nothingYet = { counter: -1, tag: "", place: 0 };
const placeBytes = 8;
const triesMax = 5;
/** Longer than anybody counts from it. */
const placesTtlMs = 10 * 365 * 86_400_000;

/** @param tagKey 32 bytes, the same on all replicas. */
export function createOrder(state: State, tagKey: Uint8Array): Order {
  const orderKey = (sid: string) => `keys:order:${sid}`;
  const placesKey = (socketId: string, isForOne = false) => `keys:${isForOne ? "directed" : "places"}:${socketId}`;
  const tagOf = ({ sid, counter, body }: Unplaced) =>
    createHmac("sha256", tagKey).update(`${sid} ${counter} `).update(body).digest("base64url");

  async function find(sid: string) {
    const found = await state.get(orderKey(sid));
    if (found === null) return { said: nothingYet, version: null };
    const value = Buffer.from(found.value);
    const json = value.subarray(0, -placeBytes).toString("utf8");
    const place = Number(value.readBigUInt64BE(value.length - placeBytes));
    return { said: { ...stored.parse(JSON.parse(json)), place }, version: found.version };
  }

  return {
    of: async (sid) => (await find(sid)).said,
    last: (socketId) => state.sum(placesKey(socketId)),
    async place(message, ttlMs, kept) {
      const { socketId, sid, counter, isForOne } = message;
      const tag = tagOf(message);
      for (let tries = 0; tries < triesMax; tries += 1) {
        const { said, version } = await find(sid);
        if (counter === said.counter && tag === said.tag) return { is: "placed", place: said.place };
        if (counter <= said.counter) return { is: "stale" };
        if (counter > said.counter + 1) return { is: "gap" };
        const place = await state.replaceAndCount({
          key: orderKey(sid),
          version,
          value: Buffer.from(JSON.stringify({ counter, tag })),
          ttlMs,
          counter: placesKey(socketId, isForOne),
          counterTtlMs: placesTtlMs,
          kept,
        });
        if (place !== null) return { is: "placed", place };
      }
      throw new ServiceError("busy");
    },
  };
}
