import type { AuditProblem } from "@portcullis/contracts";
import type { Stored } from "@portcullis/documents";
import { z } from "zod";
import { hashOf, type Place, readBlock } from "./block.ts";
import { lastPlace } from "./book.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { beginningOf } from "./retention.ts";
import { type AuditStore, type Block, blockId } from "./store.ts";

export interface VerifyContext {
  readonly store: AuditStore;
  readonly marks: Marks;
  readonly heads: Pick<Heads, "of">;
}

export interface Verified {
  readonly blocks: number;
  readonly from: number;
  readonly to: number;
  readonly end: "known" | null;
  readonly problem: AuditProblem | null;
  /** Null: that was all. */
  readonly next: number | null;
}

/** At a time: an answer has to come in time. */
const blocksMax = 2_000;
const pageMax = 500;

/**
 * Follows the chain with what only we have: the MACs, and how far it was known to go.
 *
 * @param after the `next` of the part before; null for the first
 */
export async function verifyBook(
  context: VerifyContext,
  socketId: string,
  after: number | null,
  max = blocksMax,
): Promise<Verified> {
  const { store, marks } = context;
  const begins = await beginningOf(context, socketId);
  const none = { blocks: 0, from: 1, to: 0, end: null, next: null };
  if (begins === null) return { ...none, problem: { n: 0, what: "beginning" } };
  let place: Place = begins;
  if (after !== null && after > begins.n) {
    const before = await store.blocks.get(blockId(socketId, after));
    if (before === null) return { ...none, problem: { n: after, what: "missing" } };
    place = { n: after, hash: before.body.hash };
  }
  const from = place.n + 1;
  let blocks = 0;
  let isBroken = false;
  const so = (problem: AuditProblem | null, next: number | null = null, end: Verified["end"] = null): Verified => ({
    blocks,
    from,
    to: place.n,
    end,
    problem,
    next,
  });
  while (blocks < max) {
    const limit = Math.min(isBroken ? 1 : pageMax, max - blocks);
    const page = await store.blocks.find({ socketId }, { after: blockId(socketId, place.n), limit }).catch(broken);
    if (page === null) {
      // One of them is not even shaped like a block: one by one it is found which.
      if (limit === 1) return so({ n: place.n + 1, what: "changed" });
      isBroken = true;
      continue;
    }
    for (const block of page) {
      const problem = problemOf(block, socketId, place, marks);
      if (problem !== null) return so(problem);
      place = { n: block.body.n, hash: block.body.hash };
      blocks += 1;
    }
    if (page.length < limit) {
      const { problem, end } = await endOf(context, socketId, begins, place);
      return so(problem, null, end);
    }
  }
  return so(null, place.n);
}

/** @throws what is no matter of shape */
function broken(error: unknown): null {
  if (error instanceof z.ZodError) return null;
  throw error;
}

function problemOf(
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

/** A lost state says nothing, and neither does one that is behind: a replica may have gone between the two writes. */
async function endOf(
  { store, heads }: VerifyContext,
  socketId: string,
  begins: Place,
  last: Place,
): Promise<Pick<Verified, "problem" | "end">> {
  const known = await heads.of(socketId);
  if (known === null) return { problem: null, end: null };
  if (known === "forged") return { problem: { n: last.n, what: "end-differs" }, end: null };
  // One that was written while this was read goes on from here; none of what was known may be missing.
  const now = (await lastPlace(store, socketId)) ?? begins;
  if (known.n > now.n) return { problem: { n: now.n + 1, what: "end-missing" }, end: null };
  const there = known.n === begins.n ? begins.hash : (await store.blocks.get(blockId(socketId, known.n)))?.body.hash;
  const isIt = there === known.hash || known.n < begins.n;
  return isIt ? { problem: null, end: "known" } : { problem: { n: known.n, what: "end-differs" }, end: null };
}
