import type { AuditProblem } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { hashOf, type Place, readBlock } from "./block.ts";
import type { Marks } from "./marks.ts";
import { type AuditStore, type Block, blockId } from "./store.ts";

/** What is wrong with a block as the next one behind a place, if anything is. */
export function problemOf(
  { id, body: { n, text, hash, mac } }: Stored<Block>,
  socketId: string,
  before: Place,
  marks: Marks,
): AuditProblem | null {
  if (n !== before.n + 1 || id !== blockId(socketId, n)) return { n: before.n + 1, what: "missing" };
  if (hashOf(text) !== hash) return { n, what: "changed" };
  const block = readBlock(text);
  if (block === null || block.socket !== socketId || block.n !== n || block.prev !== before.hash)
    return { n, what: "not-in-order" };
  // With all hashes computed anew everything up to here fits together. This does not.
  return marks.isOurs("block", socketId, { n, hash }, mac) ? null : { n, what: "not-ours" };
}

/**
 * Whether a book goes as far as it was known to go.
 *
 * @param known read before the blocks were, so that all of them have to be there: what the state port said later may be of one that was written since
 * @param begins behind which the book begins
 * @param last the end of what was followed from there: what else the documents hold may have been put there to be found
 */
export async function problemAtEnd(
  { blocks }: Pick<AuditStore, "blocks">,
  socketId: string,
  known: Place | "forged" | null,
  { begins, last }: { readonly begins: Place; readonly last: Place },
): Promise<AuditProblem | null> {
  // A lost state says nothing, and neither does one that is behind: a replica may have gone between the two writes.
  if (known === null) return null;
  if (known === "forged") return { n: last.n, what: "end-differs" };
  if (known.n > last.n) return { n: last.n + 1, what: "end-missing" };
  if (known.n < begins.n) return null;
  const of = async () => (await blocks.get(blockId(socketId, known.n)))?.body.hash;
  const there = known.n === last.n ? last.hash : known.n === begins.n ? begins.hash : await of();
  return there === known.hash ? null : { n: known.n, what: "end-differs" };
}
