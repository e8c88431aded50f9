import type { AuditEntry } from "@portcullis/contracts";
import { DuplicateError } from "@portcullis/documents";
import type { SocketStore } from "../sockets/store.ts";
import { beginning, blockBehind, type Place } from "./block.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { type AuditStore, blockId } from "./store.ts";

export interface BookContext {
  readonly store: AuditStore;
  readonly sockets: Pick<SocketStore, "sockets">;
  readonly heads: Heads;
  readonly marks: Marks;
}

const triesMax = 20;
/** Of how many sockets the last block is remembered; of others it is looked up. */
const rememberedMax = 10_000;

/** Where the chain of a socket ends, as far as the documents say. */
export async function lastPlace({ blocks }: Pick<AuditStore, "blocks">, socketId: string): Promise<Place | null> {
  const sort = { field: "n", direction: "descending" } as const;
  const [last] = await blocks.find({ socketId }, { sort, limit: 1 });
  return last === undefined ? null : { n: last.body.n, hash: last.body.hash };
}

/**
 * One more block. Between replicas the number decides, which is there once: who comes second looks where the chain ends now and writes behind that.
 * The same entries once more, where it is not known what became of them, are found where they are, as long as nothing else was appended here meanwhile.
 *
 * @returns false: there is no such socket
 */
export function createAppend({ store, sockets, heads, marks }: BookContext) {
  const remembered = new Map<string, Place>();

  function remember(socketId: string, place: Place): void {
    remembered.delete(socketId);
    remembered.set(socketId, place);
    const [oldest] = remembered.keys();
    if (remembered.size > rememberedMax && oldest !== undefined) remembered.delete(oldest);
  }

  return async (socketId: string, entries: readonly AuditEntry[]): Promise<boolean> => {
    const lastAtMs = entries.reduce((last, { atMs }) => Math.max(last, atMs), 0);
    for (let tries = 0; tries < triesMax; tries += 1) {
      const before = remembered.get(socketId) ?? (await lastPlace(store, socketId)) ?? beginning;
      // Nothing is written behind the socket's end, when its book is gone as well: nobody would come by and remove it.
      if ((await sockets.sockets.get(socketId)) === null) return false;
      remember(socketId, before);
      const { n, hash, text } = blockBehind(before, socketId, entries);
      const id = blockId(socketId, n);
      try {
        const mac = marks.of("block", socketId, { n, hash });
        await store.blocks.insert(id, { socketId, n, text, hash, mac, lastAtMs });
      } catch (error) {
        if (!(error instanceof DuplicateError)) throw error;
        const isOurs = (await store.blocks.get(id))?.body.text === text;
        remembered.delete(socketId);
        if (!isOurs) continue;
      }
      remember(socketId, { n, hash });
      await heads.advance(socketId, before, { n, hash });
      return true;
    }
    throw new Error("the end of a book is being fought over");
  };
}
