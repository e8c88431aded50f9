import type { DatabaseSync, SQLInputValue, SQLOutputValue, StatementSync } from "node:sqlite";
import { checkId, type Declared, type Query } from "../declared.ts";
import { type Collection, DuplicateError, type Indexed, type Stored } from "../port.ts";
import { column, createTable } from "./schema.ts";

/** Rows per sweep: a sweep holds the process, so it must stay short. */
const sweepRowsMax = 1000;
/** SQLITE_CONSTRAINT_PRIMARYKEY and SQLITE_CONSTRAINT_UNIQUE. */
const uniqueErrcodes: readonly unknown[] = [1555, 2067];

export function openCollection<T extends object>(
  database: DatabaseSync,
  declared: Declared<T>,
  clock: () => number,
): { collection: Collection<T>; sweep: () => void } {
  createTable(database, declared);
  const table = `"${declared.name}"`;
  const expiresAt = declared.expiresAtField === null ? null : column(declared.expiresAtField);
  const alive = expiresAt === null ? "TRUE" : `(${expiresAt} IS NULL OR ${expiresAt} > $now)`;
  const now = () => ({ $now: clock() });

  const statements = new Map<string, StatementSync>();
  const prepare = (sql: string) => {
    const known = statements.get(sql);
    if (known) return known;
    const statement = database.prepare(sql);
    // Without an expiry field no statement names `$now`.
    statement.setAllowUnknownNamedParameters(true);
    statements.set(sql, statement);
    return statement;
  };
  const matching = ({ equals, after }: Query) => {
    const parameters: Record<string, SQLInputValue> = now();
    const terms = equals.map(([field, value]) => {
      if (value === null) return `${column(field)} IS NULL`;
      parameters[`$f_${field}`] = asColumn(value);
      return `${column(field)} = $f_${field}`;
    });
    if (after !== null) {
      terms.push("id > $after");
      parameters.$after = after;
    }
    return { where: [...terms, alive].join(" AND "), parameters };
  };
  const stored = (row: Record<string, SQLOutputValue>): Stored<T> => ({
    id: String(row.id),
    version: Number(row.version),
    body: declared.decode(String(row.body)),
  });
  const find = (query: Query) => {
    const { where, parameters } = matching(query);
    const order = query.sort ? `${column(query.sort.field)} ${query.sort.descending ? "DESC" : "ASC"}, id` : "id";
    const statement = prepare(`SELECT id, version, body FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT $limit`);
    return statement.all({ ...parameters, $limit: query.limit }).map(stored);
  };
  const deleteExpired = (limit: number): number => {
    if (expiresAt === null) return 0;
    const expired = `SELECT rowid FROM ${table} WHERE ${expiresAt} <= $now LIMIT $limit`;
    const statement = prepare(`DELETE FROM ${table} WHERE rowid IN (${expired})`);
    return Number(statement.run({ ...now(), $limit: limit }).changes);
  };
  /** Tries once more after the expired ones, which do not count, are out of the way. */
  const writeUnique = (write: () => number): number => {
    try {
      return write();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      if (deleteExpired(Number.MAX_SAFE_INTEGER) === 0) throw duplicate(declared.name, error);
    }
    try {
      return write();
    } catch (error) {
      throw isUniqueViolation(error) ? duplicate(declared.name, error) : error;
    }
  };

  const collection: Collection<T> = {
    async insert(id, body) {
      checkId(id);
      const encoded = declared.encode(body);
      const statement = prepare(`INSERT INTO ${table} (id, version, body) VALUES (?, 1, ?)`);
      writeUnique(() => Number(statement.run(id, encoded.json).changes));
      return { id, version: 1, body: encoded.body };
    },
    async get(id) {
      const statement = prepare(`SELECT id, version, body FROM ${table} WHERE id = $id AND ${alive}`);
      const row = statement.get({ ...now(), $id: checkId(id) });
      return row ? stored(row) : null;
    },
    async find(filter, options) {
      return find(declared.query(filter, options));
    },
    async findOne(filter) {
      return find(declared.query(filter, { limit: 1 }))[0] ?? null;
    },
    async count(filter) {
      const { where, parameters } = matching(declared.query(filter));
      return Number(prepare(`SELECT count(*) AS n FROM ${table} WHERE ${where}`).get(parameters)?.n);
    },
    async replace(id, version, body) {
      const encoded = declared.encode(body);
      const statement = prepare(
        `UPDATE ${table} SET version = version + 1, body = $body WHERE id = $id AND version = $version AND ${alive}`,
      );
      const parameters = { ...now(), $id: checkId(id), $version: version, $body: encoded.json };
      const changes = writeUnique(() => Number(statement.run(parameters).changes));
      return changes === 0 ? null : { id, version: version + 1, body: encoded.body };
    },
    async delete(id, version) {
      const statement = prepare(
        `DELETE FROM ${table} WHERE id = $id AND ($version IS NULL OR version = $version) AND ${alive}`,
      );
      return statement.run({ ...now(), $id: checkId(id), $version: version ?? null }).changes !== 0;
    },
  };
  return { collection, sweep: () => void deleteExpired(sweepRowsMax) };
}

function asColumn(value: Exclude<Indexed, null>): SQLInputValue {
  return typeof value === "boolean" ? Uint8Array.of(value ? 1 : 0) : value;
}

function isUniqueViolation(error: unknown): error is Error {
  return error instanceof Error && "errcode" in error && uniqueErrcodes.includes(error.errcode);
}

/** SQLite names the columns: `UNIQUE constraint failed: accounts.i_email, accounts.i_realm`. */
function duplicate(name: string, error: Error): DuplicateError {
  const columns = error.message.slice(error.message.indexOf(":") + 1).split(",");
  const fields = columns.map((each) =>
    each
      .trim()
      .slice(name.length + 1)
      .replace(/^i_/, ""),
  );
  return new DuplicateError(name, fields, { cause: error });
}
