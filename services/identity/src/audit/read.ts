import { type AuditEntry, type AuditEvent, ServiceError, type ShownAuditEntry } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { hashOf, readBlock } from "./block.ts";
import { lastPlace } from "./book.ts";
import type { Marks } from "./marks.ts";
import { type AuditStore, type Block, blockId } from "./store.ts";

export interface ReadContext {
  readonly store: AuditStore;
  readonly marks: Marks;
}

export interface Asked {
  readonly after: string | null;
  readonly limit: number;
  readonly order: "newest" | "oldest";
  readonly event: AuditEvent | null;
}

type Placed = AuditEntry & Pick<ShownAuditEntry, "n" | "index">;

/** Looked through for one page: what is asked for may be rare. */
const blocksMax = 200;
const atATime = 20;

/**
 * One page, in the order that is asked for. `next` is where the next one begins: number of block and of entry.
 * What `identity` did not write is not shown, wherever in the documents it stands: that something is wrong is for `verify` to say, which looks at the book alone.
 */
export async function readEntries(
  context: ReadContext,
  socketId: string,
  { after, limit, order, event }: Asked,
): Promise<{ readonly entries: Placed[]; readonly next: string | null }> {
  const step = order === "oldest" ? 1 : -1;
  const from = after === null ? null : placeOf(after);
  let n = from?.n ?? (await first(context.store, socketId, order));
  const found: Placed[] = [];
  for (let looked = 0; looked < blocksMax; looked += atATime) {
    const { found: page, isLast } = await run(context, socketId, n, step);
    for (const { body } of page) {
      const entries = (readBlock(body.text)?.entries ?? []).map((entry, index) => ({ ...entry, n: body.n, index }));
      for (const entry of order === "oldest" ? entries : entries.toReversed()) {
        const isBehind = from === null || entry.n !== from.n || (entry.index - from.index) * step > 0;
        if (!isBehind || (event !== null && entry.event !== event)) continue;
        found.push(entry);
        if (found.length === limit) return { entries: found, next: `${entry.n}-${entry.index}` };
      }
    }
    if (isLast) return { entries: found, next: null };
    n += step * atATime;
  }
  // Behind the last entry of the last block that was looked at, whichever that is.
  const edge = n - step;
  return { entries: found, next: `${edge}-${step > 0 ? Number.MAX_SAFE_INTEGER : 0}` };
}

async function first(store: AuditStore, socketId: string, order: Asked["order"]): Promise<number> {
  if (order === "newest") return (await lastPlace(store, socketId))?.n ?? 0;
  const [oldest] = await store.blocks.find({ socketId }, { limit: 1 });
  return oldest?.body.n ?? 0;
}

/** So many blocks from that number on; those that are not there, or not ours, are left out. */
async function run({ store, marks }: ReadContext, socketId: string, n: number, step: 1 | -1) {
  const numbers = Array.from({ length: atATime }, (_, index) => n + step * index).filter((each) => each > 0);
  const all = await Promise.all(numbers.map((each) => store.blocks.get(blockId(socketId, each))));
  const there = all.filter((block) => block !== null);
  const isOurs = ({ id, body: { n, text, hash, mac } }: Stored<Block>) =>
    id === blockId(socketId, n) && hashOf(text) === hash && marks.isOurs("block", socketId, { n, hash }, mac);
  return { found: there.filter(isOurs), isLast: there.length < atATime };
}

/** @throws {ServiceError} invalid */
function placeOf(after: string): { readonly n: number; readonly index: number } {
  const [, n, index] = /^([0-9]{1,12})-([0-9]{1,16})$/.exec(after) ?? [];
  if (n === undefined || index === undefined)
    throw new ServiceError("invalid", { issues: [{ path: "after", message: "is not the `next` of a page" }] });
  return { n: Number(n), index: Number(index) };
}
