import { createHmac } from "node:crypto";
import { emblemOf } from "./emblem.ts";
import type { SignContent } from "./record.ts";

export const lineupSize = 5;

export interface Lineup {
  readonly signs: readonly string[];
  /** Where the member's own stands among them, from 1. */
  readonly own: number;
}

/**
 * The member's sign among others. The others are the same at every login, so that no two logins show which one always comes; the order is another one for
 * each challenge. Both come from the member's seed and not from what a client can see: it knows the `cid`, and would know the answer.
 */
export function lineupOf({ art, seed }: SignContent, cid: string): Lineup {
  const key = Buffer.from(seed, "base64url");
  const of = (what: string) => createHmac("sha256", key).update(`portcullis/1 ${what}`).digest();
  const all = Array.from({ length: lineupSize }, (_, index) => (index === 0 ? art : emblemOf(of(`other ${index}`))));
  const ranked = all
    .map((sign, index) => ({ sign, isOwn: index === 0, rank: of(`order ${index} ${cid}`) }))
    .sort((a, b) => Buffer.compare(a.rank, b.rank));
  key.fill(0);
  return { signs: ranked.map(({ sign }) => sign), own: ranked.findIndex(({ isOwn }) => isOwn) + 1 };
}
