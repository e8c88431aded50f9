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

/** Where the chain of a socket ends, as far as the documents say. */
export async function lastPlace({ blocks }: Pick<AuditStore, "blocks">, socketId: string): Promise<Place | null> {
  const sort = { field: "n", direction: "descending" } as const;
  const [last] = await blocks.find({ socketId }, { sort, limit: 1 });
  return last === undefined ? null : { n: last.body.n, hash: last.body.hash };
}

/**
 * One more block, behind the one that is known to be the last, also where the documents do not have it any more: whoever cuts an end off must not get a
 * second block of a number, or they could put either of the two there as they like. Between replicas the number decides, which is there once: who comes second
 * looks where the chain ends in the documents and writes behind that.
 * The same entries once more, where it is not known what became of them, are found where they are, as long as nothing else was appended here meanwhile.
 *
 * @returns false: there is no such socket
 */
export function createAppend({ store, sockets, heads, marks }: BookContext) {
  async function known(socketId: string): Promise<Place | null> {
    const head = await heads.of(socketId);
    return head === "forged" ? null : head;
  }

  /** Behind what the very same entries were to go before: of a book that is not known yet the last block may be the one that they are in. */
  const tried = new WeakMap<readonly AuditEntry[], Place>();

  return async (socketId: string, entries: readonly AuditEntry[]): Promise<boolean> => {
    let isTaken = false;
    for (let tries = 0; tries < triesMax; tries += 1) {
      const said = isTaken ? null : ((await known(socketId)) ?? tried.get(entries));
      const before = said ?? (await lastPlace(store, socketId)) ?? beginning;
      tried.set(entries, before);
      // Nothing is written behind the socket's end, when its book is gone as well: nobody would come by and remove it.
      if ((await sockets.sockets.get(socketId)) === null) return false;
      const { n, hash, text } = blockBehind(before, socketId, entries);
      const id = blockId(socketId, n);
      try {
        await store.blocks.insert(id, { socketId, n, text, hash, mac: marks.of("block", socketId, { n, hash }) });
      } catch (error) {
        if (!(error instanceof DuplicateError)) throw error;
        const isOurs = (await store.blocks.get(id))?.body.text === text;
        isTaken = !isOurs;
        if (!isOurs) continue;
      }
      if (await heads.advance(socketId, before, { n, hash })) return true;
      isTaken = false;
    }
    throw new Error("the end of a book is being fought over");
  };
}
