import type { Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { z } from "zod";
import type { Place } from "./block.ts";
import type { Marks } from "./marks.ts";
import { type AuditStore, blockId } from "./store.ts";

const stored = z.strictObject({ n: z.number().int().positive(), hash: z.string(), mac: z.string() });

/** Longer than anything is kept. */
const ttlMs = 3660 * 86_400_000;
const triesMax = 5;

/**
 * How far each book is known to go, in another store than the book: from a chain of hashes its end can be cut off, and what is left is as good as before. The
 * next block goes on from there, whatever the documents hold by then. Where Redis forgets it, it is not known, which is no sign of anything; it is known again
 * from the next block on.
 */
export interface Heads {
  /** Null: not known. `forged`: what stands there is not ours. */
  of(socketId: string): Promise<Place | "forged" | null>;
  /**
   * Never rejects: the block is written, and the next one makes up for it.
   *
   * @param before whose hash the block has in it
   * @returns false: another block was written under that number, so that this one is in no book
   */
  advance(socketId: string, before: Place, written: Place): Promise<boolean>;
  forget(socketId: string): Promise<void>;
}

export function createHeads(parts: {
  readonly state: Pick<State, "get" | "create" | "replace" | "delete">;
  readonly store: Pick<AuditStore, "blocks">;
  readonly marks: Marks;
  readonly log: Pick<Logger, "warn" | "error">;
}): Heads {
  const { state, store, marks, log } = parts;
  const key = (socketId: string) => `identity:audit-head:${socketId}`;
  const encode = (socketId: string, { n, hash }: Place) =>
    Buffer.from(JSON.stringify({ n, hash, mac: marks.of("head", socketId, { n, hash }) }));

  async function read(socketId: string) {
    const found = await state.get(key(socketId));
    if (found === null) return null;
    const { n, hash, mac } = stored.parse(JSON.parse(Buffer.from(found.value).toString("utf8")));
    const place = { n, hash };
    return { place, version: found.version, isOurs: marks.isOurs("head", socketId, place, mac) };
  }

  async function goesOnFrom(socketId: string, known: Place, before: Place): Promise<boolean> {
    if (known.n === before.n) return known.hash === before.hash;
    return (await store.blocks.get(blockId(socketId, known.n)))?.body.hash === known.hash;
  }

  async function advance(socketId: string, before: Place, written: Place): Promise<boolean> {
    const broken = () =>
      log.error("the book of a socket does not go on from where it was", { socket: socketId, n: written.n });
    for (let tries = 0; tries < triesMax; tries += 1) {
      const found = await read(socketId);
      if (found === null) {
        if ((await state.create(key(socketId), encode(socketId, written), ttlMs)) !== null) return true;
        continue;
      }
      const { place: known, isOurs, version } = found;
      if (!isOurs) {
        broken();
        return true;
      }
      const isAnother = known.n === written.n && known.hash !== written.hash;
      if (isAnother || (known.n < written.n && !(await goesOnFrom(socketId, known, before)))) broken();
      if (known.n >= written.n) return !isAnother;
      // Also where it does not go on from there: with a block of ours behind it, what was put in between can be taken away again no more.
      if ((await state.replace(key(socketId), version, encode(socketId, written), ttlMs)) !== null) return true;
    }
    return true;
  }

  return {
    async of(socketId) {
      const found = await read(socketId);
      if (found === null) return null;
      return found.isOurs ? found.place : "forged";
    },
    advance: (socketId, before, written) =>
      advance(socketId, before, written).catch((error: unknown) => {
        log.warn("how far a book goes could not be noted", { socket: socketId }, error);
        return true;
      }),
    async forget(socketId) {
      await state.delete(key(socketId));
    },
  };
}
