export interface PageRequest {
  /** The `next` of the page before; null for the first. */
  readonly after: string | null;
  readonly limit: number;
}

/** An answer must fit into one bus message, and a socket's policy alone may have 64 KiB. */
const pageBytesMax = 1_048_576;

/**
 * As many items as were asked for and as fit, but at least one.
 *
 * @param found in the order of their ids, one more than asked for where there are more
 * @returns `next` null where these are the last
 */
export function pageOf<T>(
  found: readonly T[],
  limit: number,
  idOf: (item: T) => string,
): { readonly items: T[]; readonly next: string | null } {
  const items: T[] = [];
  let bytes = 0;
  for (const item of found.slice(0, limit)) {
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (items.length > 0 && bytes > pageBytesMax) break;
    items.push(item);
  }
  const last = items.at(-1);
  return { items, next: last === undefined || items.length === found.length ? null : idOf(last) };
}
