import { type Collection as MongoCollection, type Filter as MongoFilter, MongoServerError } from "mongodb";
import { checkId, type Declared, type Encoded, type Query } from "../declared.ts";
import { type Collection, DuplicateError } from "../port.ts";
import { createIndexes } from "./indexes.ts";
import { fromRow, type Row, toRow } from "./row.ts";

const duplicateKey = 11000;

export async function openCollection<T extends object>(
  rows: MongoCollection<Row>,
  declared: Declared<T>,
  clock: () => number,
): Promise<{ collection: Collection<T>; sweep: (() => Promise<void>) | null }> {
  const { ttl } = await createIndexes(rows, declared);
  const expires = declared.expiresAtField !== null;

  const alive = (filter: MongoFilter<Row>): MongoFilter<Row> =>
    expires
      ? { $and: [filter, { $or: [{ expiresAt: { $exists: false } }, { expiresAt: { $gt: new Date(clock()) } }] }] }
      : filter;
  const matching = ({ equals, after }: Query) =>
    alive({
      ...Object.fromEntries(equals.map(([field, value]) => [`index.${field}`, value])),
      ...(after === null ? {} : { _id: { $gt: after } }),
    });
  const find = async (query: Query) => {
    const { sort, limit } = query;
    const order: Record<string, 1 | -1> = sort
      ? { [`index.${sort.field}`]: sort.descending ? -1 : 1, _id: 1 }
      : { _id: 1 };
    const found = await rows.find(matching(query)).sort(order).limit(limit).toArray();
    return found.map((row) => fromRow(row, declared));
  };
  const deleteExpired = async () =>
    expires ? (await rows.deleteMany({ expiresAt: { $lte: new Date(clock()) } })).deletedCount : 0;

  /** Tries once more after the expired ones, which do not count, are out of the way. */
  const writeUnique = async <R>(id: string | null, encoded: Encoded<T>, write: () => Promise<R>): Promise<R> => {
    try {
      return await write();
    } catch (error) {
      if (!isDuplicate(error)) throw error;
      if ((await deleteExpired()) === 0) throw await duplicate(error, id, encoded);
    }
    try {
      return await write();
    } catch (error) {
      throw isDuplicate(error) ? await duplicate(error, id, encoded) : error;
    }
  };

  /** MongoDB says which index it was. FerretDB does not, so the index is found by looking. */
  const duplicate = async (error: MongoServerError, id: string | null, encoded: Encoded<T>) => {
    const named = (fields: readonly string[]) => new DuplicateError(declared.name, fields, { cause: error });
    const pattern: unknown = error.keyPattern;
    if (typeof pattern === "object" && pattern !== null) {
      return named(Object.keys(pattern).map((path) => (path === "_id" ? "id" : path.slice("index.".length))));
    }
    if (id !== null && (await rows.findOne({ _id: id }))) return named(["id"]);
    const uniques = declared.indexes.filter((index) => index.unique);
    for (const { fields } of uniques) {
      if (fields.some((field) => encoded.values[field] === undefined)) continue;
      const filter = Object.fromEntries(fields.map((field) => [`index.${field}`, encoded.values[field]]));
      if (await rows.findOne(filter as MongoFilter<Row>)) return named(fields);
    }
    // Gone again in the meantime.
    return named(uniques[0]?.fields ?? ["id"]);
  };

  const collection: Collection<T> = {
    async insert(id, body) {
      checkId(id);
      const encoded = declared.encode(body);
      await writeUnique(id, encoded, () => rows.insertOne(toRow(id, 1, encoded)));
      return { id, version: 1, body: encoded.body };
    },
    async get(id) {
      const row = await rows.findOne(alive({ _id: checkId(id) }));
      return row ? fromRow(row, declared) : null;
    },
    async find(filter, options) {
      return await find(declared.query(filter, options));
    },
    async findOne(filter) {
      return (await find(declared.query(filter, { limit: 1 })))[0] ?? null;
    },
    async count(filter) {
      return await rows.countDocuments(matching(declared.query(filter)));
    },
    async replace(id, version, body) {
      const encoded = declared.encode(body);
      const { _id, ...next } = toRow(checkId(id), version + 1, encoded);
      const result = await writeUnique(null, encoded, () => rows.replaceOne(alive({ _id, version }), next));
      return result.matchedCount === 0 ? null : { id, version: version + 1, body: encoded.body };
    },
    async delete(id, version) {
      const filter = version === undefined ? { _id: checkId(id) } : { _id: checkId(id), version };
      return (await rows.deleteOne(alive(filter))).deletedCount === 1;
    },
  };
  return { collection, sweep: expires && !ttl ? async () => void (await deleteExpired()) : null };
}

/** FerretDB 1.24 answers an update that breaks a unique index with an internal error that quotes SQLite or PostgreSQL. */
function isDuplicate(error: unknown): error is MongoServerError {
  if (!(error instanceof MongoServerError)) return false;
  return error.code === duplicateKey || (error.code === 1 && /unique constraint/i.test(error.message));
}
