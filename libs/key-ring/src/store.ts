import type { Collection, Documents, Stored } from "@portcullis/documents";
import { z } from "zod";
import { type Ring, ringSchema, shownText } from "./ring.ts";

/** A process that works with a ring, and how much of it it knows. It is gone when the process has not said so again within its lease. */
const reader = z.strictObject({
  instance: shownText(64),
  /** Version of the ring's document that it has opened as a whole; 0: none yet. */
  knows: z.number().int().nonnegative(),
  expiresAtMs: z.number().int(),
});
export type Reader = z.infer<typeof reader>;

export interface RingStore {
  readonly rings: Collection<Ring>;
  readonly readers: Collection<Reader>;
  /** However many: whoever is left out would not be waited for. */
  allReaders(): Promise<Reader[]>;
}

export const ringId = "ring";

const pageSize = 200;

export async function openRingStore(documents: Documents, service: string): Promise<RingStore> {
  const rings = await documents.collection({ name: `${service}_data_keys`, schema: ringSchema, indexes: [] });
  const readers = await documents.collection({
    name: `${service}_data_key_readers`,
    schema: reader,
    indexes: [],
    expiresAtField: "expiresAtMs",
  });
  return {
    rings,
    readers,
    async allReaders() {
      const all: Reader[] = [];
      for (let after: string | null = null; ; ) {
        const page: Stored<Reader>[] = await readers.find({}, { limit: pageSize, after });
        all.push(...page.map(({ body }) => body));
        after = page.at(-1)?.id ?? null;
        if (page.length < pageSize) return all;
      }
    },
  };
}
