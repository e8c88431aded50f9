import type { AuditProblem } from "@portcullis/contracts";
import { z } from "zod";
import type { Place } from "./block.ts";
import { problemAtEnd, problemOf } from "./chain.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { beginningOf } from "./retention.ts";
import { type AuditStore, blockId } from "./store.ts";

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
  const { store, marks, heads } = context;
  const known = await heads.of(socketId);
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
      const problem = await problemAtEnd(store, socketId, known, { begins, last: place });
      return so(problem, null, problem === null && known !== null ? "known" : null);
    }
  }
  return so(null, place.n);
}

/** @throws what is no matter of shape */
function broken(error: unknown): null {
  if (error instanceof z.ZodError) return null;
  throw error;
}
