import type { Collection, Stored } from "./port.ts";

export interface Limit {
  readonly max: number;
  /** How many there are; the new one, once it is there, is one of them. */
  readonly count: () => Promise<number>;
}

/**
 * Inserts where fewer than `max` are there, and leaves no more than that of any number who insert at once: it counts once more behind its write, and so sees
 * everybody who wrote before. Who comes in the same moment as others may be refused although one of them would have fitted; a process that
 * dies in between leaves one too many, which those who come later count.
 *
 * @returns null where there is no room
 * @throws what `insert` throws
 */
export async function insertWithin<T extends object>(
  collection: Collection<T>,
  id: string,
  body: T,
  { max, count }: Limit,
): Promise<Stored<T> | null> {
  if ((await count()) >= max) return null;
  const stored = await collection.insert(id, body);
  if ((await count()) <= max) return stored;
  await collection.delete(id);
  return null;
}
