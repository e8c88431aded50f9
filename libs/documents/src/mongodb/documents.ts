import { MongoClient } from "mongodb";
import { declare } from "../declared.ts";
import type { Collection, CollectionDefinition, Documents } from "../port.ts";
import { openCollection } from "./collection.ts";
import type { Row } from "./row.ts";

export interface MongoDocumentsOptions {
  /** `mongodb://` or `mongodb+srv://`, with credentials where the server wants them. */
  readonly url: string;
  /** Default: the one in the URL, else `portcullis`. */
  readonly database?: string;
  /** Epoch milliseconds; decides what has expired. */
  readonly clock: () => number;
  /** How often expired documents are removed where the server has no TTL indexes. Default 60000. */
  readonly sweepEveryMs?: number;
  /** How long to look for a usable server, at the start and before each operation. Default 5000. */
  readonly serverSelectionTimeoutMs?: number;
}

const socketTimeoutMs = 15_000;

/**
 * Documents in MongoDB 4.4 or newer, or in what speaks its protocol (FerretDB 1.24).
 *
 * @throws when no server answers within the selection timeout.
 */
export async function openMongoDocuments(options: MongoDocumentsOptions): Promise<Documents> {
  const { clock } = options;
  const selectionMs = options.serverSelectionTimeoutMs ?? 5000;
  const client = new MongoClient(options.url, {
    appName: "portcullis",
    writeConcern: { w: "majority", journal: true },
    serverSelectionTimeoutMS: selectionMs,
    connectTimeoutMS: selectionMs,
    waitQueueTimeoutMS: selectionMs,
    socketTimeoutMS: socketTimeoutMs,
  });
  const inUrl = client.options.dbName;
  const database = client.db(options.database ?? (inUrl && inUrl !== "test" ? inUrl : "portcullis"));
  try {
    await client.connect();
    await database.command({ ping: 1 });
  } catch (error) {
    await client.close();
    throw error;
  }

  const sweeps: (() => Promise<void>)[] = [];
  const sweeper = setInterval(() => {
    for (const sweep of sweeps) {
      // Reads filter by expiry anyhow, and the next round tries again.
      sweep().catch(() => undefined);
    }
  }, options.sweepEveryMs ?? 60_000);
  sweeper.unref();

  return {
    async collection<T extends object>(definition: CollectionDefinition<T>): Promise<Collection<T>> {
      const declared = declare(definition);
      const { collection, sweep } = await openCollection(database.collection<Row>(declared.name), declared, clock);
      if (sweep) sweeps.push(sweep);
      return collection;
    },
    async ping() {
      await database.command({ ping: 1 });
    },
    async close() {
      clearInterval(sweeper);
      await client.close();
    },
  };
}
