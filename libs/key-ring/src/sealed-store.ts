import type { Collection, CollectionDefinition, Documents, Stored } from "@portcullis/documents";
import { type Vault, VaultError } from "@portcullis/runtime";

/** Puts one sealed field under the current key. @param sealed base64url @param context as when it was sealed */
export type Reseal = (sealed: string, context: string) => string;

/** A collection with fields under the vault. Declared once, next to the store that seals them. */
export interface SealedStore {
  readonly name: string;
  /**
   * Goes through all documents, once. Each is written with compare-and-set: what somebody else writes meanwhile stays, and is under the current key anyway.
   *
   * @param options.write false: counts only
   */
  reseal(documents: Documents, vault: Vault, options: ResealOptions): Promise<Resealed>;
}

export interface ResealOptions {
  readonly write: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (seen: number) => void;
}

export interface Resealed {
  readonly seen: number;
  /** Documents with something under another key than the current one: written anew, or only counted. */
  readonly old: number;
  /** Of these, which others wrote so often meanwhile that they are still as they were. */
  readonly contended: number;
  /** Documents with something that no key opens: altered, moved, or of a lost key. */
  readonly unreadable: number;
}

const pageSize = 200;
const triesMax = 10;

/** @param reseal the same body with every sealed field passed through `again` */
export function sealedStore<T extends object>(
  definition: CollectionDefinition<T>,
  reseal: (stored: Pick<Stored<T>, "id" | "body">, again: Reseal) => T,
): SealedStore {
  return {
    name: definition.name,
    async reseal(documents, vault, { write, signal, onProgress }) {
      const collection = await documents.collection(definition);
      const counts = { seen: 0, old: 0, contended: 0, unreadable: 0 };
      for (let after: string | null = null; ; ) {
        const page: Stored<T>[] = await collection.find({}, { limit: pageSize, after });
        for (const found of page) {
          signal?.throwIfAborted();
          const came = await resealOne(collection, vault, found, reseal, write);
          counts.seen += 1;
          counts.old += came.isOld ? 1 : 0;
          counts.contended += came.isContended ? 1 : 0;
          counts.unreadable += came.isUnreadable ? 1 : 0;
        }
        onProgress?.(counts.seen);
        after = page.at(-1)?.id ?? null;
        if (page.length < pageSize) return counts;
      }
    },
  };
}

async function resealOne<T extends object>(
  collection: Collection<T>,
  vault: Vault,
  found: Stored<T>,
  reseal: (stored: Pick<Stored<T>, "id" | "body">, again: Reseal) => T,
  write: boolean,
): Promise<{ isOld: boolean; isContended: boolean; isUnreadable: boolean }> {
  let stored: Stored<T> | null = found;
  let [isOld, isUnreadable] = [false, false];
  for (let tries = 0; tries < triesMax && stored !== null; tries += 1) {
    let isChanged = false;
    isUnreadable = false;
    const body: T = reseal(stored, (sealed, context) => {
      const wrapped = Buffer.from(sealed, "base64url");
      if (vault.isCurrent(wrapped)) return sealed;
      try {
        const secret = vault.unwrap(wrapped, context);
        isChanged = true;
        const again = Buffer.from(vault.wrap(secret, context)).toString("base64url");
        secret.fill(0);
        return again;
      } catch (error) {
        if (!(error instanceof VaultError)) throw error;
        isUnreadable = true;
        return sealed;
      }
    });
    isOld ||= isChanged;
    if (!isChanged || !write) return { isOld, isContended: false, isUnreadable };
    if ((await collection.replace(stored.id, stored.version, body)) !== null)
      return { isOld, isContended: false, isUnreadable };
    stored = await collection.get(stored.id);
  }
  return { isOld, isContended: stored !== null, isUnreadable };
}
