import type { Collection, Documents } from "@portcullis/documents";
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
}

export const ringId = "ring";

export async function openRingStore(documents: Documents, service: string): Promise<RingStore> {
  return {
    rings: await documents.collection({ name: `${service}_data_keys`, schema: ringSchema, indexes: [] }),
    readers: await documents.collection({
      name: `${service}_data_key_readers`,
      schema: reader,
      indexes: [],
      expiresAtField: "expiresAtMs",
    }),
  };
}
