import type { DatabaseSync } from "node:sqlite";
import { atomically } from "@portcullis/sqlite";
import type { Declared } from "../declared.ts";

/** A column that mirrors a body field; the prefix keeps it apart from `id`, `version` and `body`. */
export const column = (field: string) => `"i_${field}"`;

/**
 * Creates the table and, for each indexed field, a column that SQLite computes from the body: an index added later needs no
 * backfill, and a column can never disagree with its body. Booleans become one-byte blobs: `json_extract` would make
 * `true` and `1` the same, and blobs sort after strings as booleans do in MongoDB.
 */
export function createTable<T extends object>(database: DatabaseSync, declared: Declared<T>): void {
  const table = `"${declared.name}"`;
  const { expiresAtField } = declared;
  const fields = new Set([...declared.fields, ...(expiresAtField === null ? [] : [expiresAtField])]);
  atomically(database, () => {
    database.exec(
      `CREATE TABLE IF NOT EXISTS ${table} (id TEXT PRIMARY KEY NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL)`,
    );
    const present = new Set(
      database
        .prepare(`SELECT name FROM pragma_table_xinfo(?)`)
        .all(declared.name)
        .map((row) => String(row.name)),
    );
    for (const field of fields) {
      if (present.has(`i_${field}`)) continue;
      database.exec(
        `ALTER TABLE ${table} ADD COLUMN ${column(field)} GENERATED ALWAYS AS (CASE json_type(body, '$.${field}')
           WHEN 'true' THEN x'01' WHEN 'false' THEN x'00' ELSE json_extract(body, '$.${field}') END) VIRTUAL`,
      );
    }
    for (const { name, fields, unique } of declared.indexes) {
      const columns = fields.map(column);
      const where = unique ? ` WHERE ${columns.map((each) => `${each} IS NOT NULL`).join(" AND ")}` : "";
      database.exec(
        `CREATE ${unique ? "UNIQUE " : ""}INDEX IF NOT EXISTS "${declared.name}_${name}" ON ${table} (${columns.join(", ")})${where}`,
      );
    }
    if (expiresAtField !== null) {
      database.exec(
        `CREATE INDEX IF NOT EXISTS "${declared.name}_expiry" ON ${table} (${column(expiresAtField)})
           WHERE ${column(expiresAtField)} IS NOT NULL`,
      );
    }
  });
}
