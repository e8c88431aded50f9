import type { Documents } from "@portcullis/documents";
import type { KeyRing } from "./key-ring.ts";
import type { Entry } from "./ring.ts";
import { erasableAfterMs } from "./rotation.ts";
import type { Resealed, SealedStore } from "./sealed-store.ts";

export interface RingStatus {
  readonly keys: readonly (Pick<Entry, "id" | "state" | "by" | "madeAtMs" | "sinceMs" | "settledAtMs"> & {
    /** Of a previous one; null otherwise. */
    readonly erasableAtMs: number | null;
  })[];
  readonly indexBy: string;
  /** Processes that work with it, and whether they know all of it. */
  readonly readers: readonly { readonly instance: string; readonly isBehind: boolean }[];
}

export async function statusOf(ring: KeyRing): Promise<RingStatus> {
  const { version, body } = await ring.read();
  return {
    keys: body.keys.map(({ wrapped: _, ...key }) => ({
      ...key,
      erasableAtMs: key.state === "previous" ? key.sinceMs + erasableAfterMs : null,
    })),
    indexBy: body.index.by,
    readers: (await ring.readers()).map(({ instance, knows }) => ({ instance, isBehind: knows < version })),
  };
}

/** What a rotation would have to seal again at this moment, beyond what it makes old itself: changes nothing. */
export async function countOf(
  ring: KeyRing,
  documents: Documents,
  stores: readonly SealedStore[],
): Promise<readonly (Resealed & { readonly name: string })[]> {
  const counts: (Resealed & { readonly name: string })[] = [];
  for (const store of stores)
    counts.push({ name: store.name, ...(await store.reseal(documents, ring.vault, { write: false })) });
  return counts;
}
