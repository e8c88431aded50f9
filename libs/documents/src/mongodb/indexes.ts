import { type Collection, type CreateIndexesOptions, type IndexSpecification, MongoServerError } from "mongodb";
import type { Declared } from "../declared.ts";
import type { Row } from "./row.ts";

/** FerretDB's answer to an index option that it does not know. */
const notImplemented = 238;
const namespaceNotFound = 26;

/**
 * Creates what is missing. @returns whether the server removes expired documents by itself.
 *
 * A partial unique index ignores documents that lack a field. FerretDB 1.24 knows neither partial nor TTL indexes, but its
 * unique indexes ignore absent fields as they are, and the adapter sweeps.
 */
export async function createIndexes<T extends object>(
  collection: Collection<Row>,
  declared: Declared<T>,
): Promise<{ ttl: boolean }> {
  const present = await indexNames(collection);
  for (const { name, fields, unique } of declared.indexes) {
    const paths = fields.map((field) => `index.${field}`);
    const keys = Object.fromEntries(paths.map((path) => [path, 1]));
    const partialFilterExpression = Object.fromEntries(paths.map((path) => [path, { $exists: true }]));
    await createOr(collection, keys, unique ? { name, unique, partialFilterExpression } : { name }, { name, unique });
  }
  const ttl =
    declared.expiresAtField !== null &&
    (await createOr(collection, { expiresAt: 1 }, { name: "expiry", expireAfterSeconds: 0 }, { name: "expiry" }));
  if (declared.indexes.some(({ name }) => !present.has(name))) await fillIn(collection, declared);
  return { ttl };
}

/** @returns whether it was created as wanted and not with the fallback. */
async function createOr(
  collection: Collection<Row>,
  keys: IndexSpecification,
  wanted: CreateIndexesOptions,
  fallback: CreateIndexesOptions,
): Promise<boolean> {
  try {
    await collection.createIndex(keys, wanted);
    return true;
  } catch (error) {
    if (!(error instanceof MongoServerError && error.code === notImplemented)) throw error;
    await collection.createIndex(keys, fallback);
    return false;
  }
}

async function indexNames(collection: Collection<Row>): Promise<Set<unknown>> {
  try {
    return new Set((await collection.indexes()).map((index) => index.name));
  } catch (error) {
    if (error instanceof MongoServerError && error.code === namespaceNotFound) return new Set();
    throw error;
  }
}

/** Documents from before an index was declared do not carry its fields yet. */
async function fillIn<T extends object>(collection: Collection<Row>, declared: Declared<T>): Promise<void> {
  for await (const row of collection.find({})) {
    await collection.updateOne({ _id: row._id, version: row.version }, { $set: { index: declared.values(row.body) } });
  }
}
