import { ServiceError } from "@portcullis/contracts";
import type { State } from "@portcullis/state";
import { z } from "zod";

/** What has become of the messages of one sender that are for one receiver. */
const stored = z.strictObject({
  /** Who gets them, where the sender does not say; null until there is one. */
  consumer: z.string().nullable(),
  /** Up to this counter it is settled what has become of them; -1: of none. */
  settled: z.number().int(),
  /** Of those, the last that nobody got. */
  undelivered: z.array(z.number().int()).max(64),
});
export type Delivery = z.infer<typeof stored>;

/** As many as come with one question. */
export const undeliveredMax = 64;
const triesMax = 20;

/** Replicas of `keys` that are asked the same at once, or one after the other, agree by this on who gets a message and who got it. */
export interface Deliveries {
  of(sid: string): Promise<Delivery>;
  /** @returns what holds then: somebody else may have chosen another one meanwhile. */
  choose(sid: string, before: string | null, consumer: string, ttlMs: number): Promise<Delivery>;
  /** Of concurrent callers the first one's word stands. */
  settle(sid: string, counter: number, isDelivered: boolean, ttlMs: number): Promise<Delivery>;
}

export function createDeliveries(state: State): Deliveries {
  const key = (sid: string) => `keys:delivery:${sid}`;
  const nothing: Delivery = { consumer: null, settled: -1, undelivered: [] };

  async function find(sid: string): Promise<{ readonly delivery: Delivery; readonly version: string | null }> {
    const found = await state.get(key(sid));
    if (found === null) return { delivery: nothing, version: null };
    return { delivery: stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8"))), version: found.version };
  }

  /** @param change null leaves it as it is */
  async function move(sid: string, ttlMs: number, change: (delivery: Delivery) => Delivery | null): Promise<Delivery> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const { delivery, version } = await find(sid);
      const next = change(delivery);
      if (next === null) return delivery;
      const value = Buffer.from(JSON.stringify(next));
      const written =
        version === null
          ? await state.create(key(sid), value, ttlMs)
          : await state.replace(key(sid), version, value, ttlMs);
      if (written !== null) return next;
    }
    throw new ServiceError("busy");
  }

  return {
    of: async (sid) => (await find(sid)).delivery,
    choose: (sid, before, consumer, ttlMs) =>
      move(sid, ttlMs, (delivery) => (delivery.consumer === before ? { ...delivery, consumer } : null)),
    settle: (sid, counter, isDelivered, ttlMs) =>
      move(sid, ttlMs, (delivery) => {
        if (delivery.settled >= counter) return null;
        const undelivered = isDelivered ? delivery.undelivered : [...delivery.undelivered, counter];
        return { ...delivery, settled: counter, undelivered: undelivered.slice(-undeliveredMax) };
      }),
  };
}
