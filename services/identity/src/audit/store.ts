import type { Collection, Documents } from "@portcullis/documents";
import { z } from "zod";

const number = z.number().int().nonnegative();
const hash = z.string().regex(/^[0-9a-f]{64}$/);

const block = z.strictObject({
  socketId: z.string(),
  n: number,
  text: z.string(),
  hash,
  mac: z.string(),
});
export type Block = z.infer<typeof block>;

const book = z.strictObject({
  /** How long its blocks are kept; null: as long as unless said otherwise. Under a MAC: whoever could set it could have `identity` remove what they did. */
  kept: z.strictObject({ days: number, mac: z.string() }).nullable(),
  /** The last block that was removed from the front: the rest begins behind it. Null: none was. */
  anchor: z.strictObject({ n: number, hash, mac: z.string() }).nullable(),
});
export type Book = z.infer<typeof book>;

export interface AuditStore {
  /** By `blockId`. */
  readonly blocks: Collection<Block>;
  /** By the socket's id. */
  readonly books: Collection<Book>;
}

export async function openAuditStore(documents: Documents): Promise<AuditStore> {
  return {
    blocks: await documents.collection({
      name: "identity_audit_blocks",
      schema: block,
      indexes: [{ fields: ["socketId", "n"], unique: true }],
    }),
    books: await documents.collection({ name: "identity_audit_books", schema: book, indexes: [] }),
  };
}

/** In the order of their numbers. A socket's id holds no dot. */
export function blockId(socketId: string, n: number): string {
  return `${socketId}.${String(n).padStart(12, "0")}`;
}

export const emptyBook: Book = { kept: null, anchor: null };
