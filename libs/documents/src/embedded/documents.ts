import { openSqlite } from "@portcullis/sqlite";
import { declare } from "../declared.ts";
import type { Collection, CollectionDefinition, Documents } from "../port.ts";
import { openCollection } from "./collection.ts";

export interface EmbeddedDocumentsOptions {
  /** Path of the SQLite file, which state and jobs may share; `:memory:` for tests. Folder and file are made private. */
  readonly file: string;
  /** Epoch milliseconds; decides what has expired. */
  readonly clock: () => number;
  /** How often expired documents are removed from disk. Default 60000. */
  readonly sweepEveryMs?: number;
}

/** Documents in one SQLite file. Each write is synced to disk before it returns. */
export function openEmbeddedDocuments(options: EmbeddedDocumentsOptions): Documents {
  const { clock } = options;
  const database = openSqlite(options.file);
  const sweeps: (() => void)[] = [];
  const sweeper = setInterval(() => {
    try {
      for (const sweep of sweeps) sweep();
    } catch {
      // A file that is busy or full: reads filter by expiry anyhow, and the next round tries again.
    }
  }, options.sweepEveryMs ?? 60_000);
  sweeper.unref();

  return {
    async collection<T extends object>(definition: CollectionDefinition<T>): Promise<Collection<T>> {
      const { collection, sweep } = openCollection(database, declare(definition), clock);
      sweeps.push(sweep);
      return collection;
    },
    async ping() {
      database.prepare("SELECT 1").get();
    },
    async close() {
      clearInterval(sweeper);
      if (database.isOpen) database.close();
    },
  };
}
