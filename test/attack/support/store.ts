import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** Everything that a server keeps, row by row: its name, and a text that is another one when it has changed. */
export type Kept = ReadonlyMap<string, string>;

/** @param dataDir of an embedded server, which may be running */
export function everythingIn(dataDir: string): Kept {
  const database = new DatabaseSync(join(dataDir, "portcullis.sqlite"), { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const rows = tables.flatMap(({ name: table }) =>
      database
        .prepare(`SELECT * FROM "${String(table)}"`)
        .all()
        .map((row) => [`${String(table)}/${nameOf(row)}`, textOf(row)] as const),
    );
    return new Map(rows);
  } finally {
    database.close();
  }
}

/** Names of what has appeared, gone or changed. */
export function changesOf(before: Kept, after: Kept): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => before.get(name) !== after.get(name)).toSorted();
}

function nameOf(row: Record<string, unknown>): string {
  const member = "member" in row ? `/${String(row.member)}` : "";
  return `${String(row.key ?? row.id ?? row.name)}${member}`;
}

function textOf(row: Record<string, unknown>): string {
  return JSON.stringify(row, (_name, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value,
  );
}
