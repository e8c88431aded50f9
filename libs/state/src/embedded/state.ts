import { randomUUID } from "node:crypto";
import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import { atomically, openSqlite } from "@portcullis/sqlite";
import { checkAmount, checkExpiry, checkMark, checkMembersMax, checkName, checkTtl } from "../check.ts";
import type { State } from "../port.ts";
import { schema, statements } from "./statements.ts";

export interface EmbeddedStateOptions {
  /** Path of the SQLite file, which documents and jobs may share; `:memory:` for tests. Folder and file are made private. */
  readonly file: string;
  /** Epoch milliseconds; decides what has expired. */
  readonly clock: () => number;
  /** How often expired rows are removed from disk. Default 60000. */
  readonly sweepEveryMs?: number;
}

/** State in one SQLite file. Each operation is one statement or one transaction, and each write is synced to disk before it returns. */
export function openEmbeddedState(options: EmbeddedStateOptions): State {
  const { clock } = options;
  const database = openSqlite(options.file);
  database.exec(schema);
  const run = Object.fromEntries(
    Object.entries(statements).map(([name, sql]) => [name, prepared(database, sql)]),
  ) as Record<keyof typeof statements, Prepared>;
  const rows = (name: keyof typeof statements, parameters: Record<string, SQLInputValue> = {}) =>
    run[name]({ $now: clock(), ...parameters });

  const sweeper = setInterval(() => {
    try {
      for (const sweep of ["sweepEntries", "sweepCounters", "sweepMarks", "sweepMembers"] as const) rows(sweep);
    } catch {
      // A file that is busy or full: reads filter by expiry anyhow, and the next round tries again.
    }
  }, options.sweepEveryMs ?? 60_000);
  sweeper.unref();

  return {
    async get(key) {
      const row = rows("get", { $key: checkName(key) })[0];
      return row ? { value: bytes(row.value), version: String(row.version) } : null;
    },
    async create(key, value, ttlMs) {
      const version = randomUUID();
      const parameters = { $key: checkName(key), $value: value, $version: version, $ttl: checkTtl(ttlMs) };
      return rows("create", parameters).length === 1 ? version : null;
    },
    async replace(key, version, value, ttlMs) {
      const next = randomUUID();
      const parameters = { $key: checkName(key), $value: value, $version: version, $ttl: checkTtl(ttlMs), $next: next };
      return rows("replace", parameters).length === 1 ? next : null;
    },
    async delete(key, version) {
      return rows("delete", { $key: checkName(key), $version: version ?? null }).length === 1;
    },
    async take(key) {
      const row = rows("delete", { $key: checkName(key), $version: null })[0];
      return row ? bytes(row.value) : null;
    },
    async deleteAndCount(key, counter, ttlMs) {
      const [entry, counted] = [{ $key: checkName(key), $version: null }, { $key: checkName(counter) }];
      const ttl = checkTtl(ttlMs);
      return atomically(database, () => {
        if (rows("delete", entry).length === 0) return false;
        rows("add", { ...counted, $amount: 1, $ttl: ttl });
        return true;
      });
    },
    async replaceAndCount({ key, version, value, ttlMs, counter, counterTtlMs, kept }) {
      const entry = { $key: checkName(key), $ttl: checkTtl(ttlMs) };
      const counted = { $key: checkName(counter), $amount: 1, $ttl: checkTtl(counterTtlMs) };
      const own = kept === null ? null : { prefix: checkName(kept.prefix), ttl: checkTtl(kept.ttlMs) };
      return atomically(database, () => {
        const found = rows("get", entry)[0];
        if ((found === undefined ? null : String(found.version)) !== version) return null;
        const sum = Number(rows("add", counted)[0]?.sum);
        const numbered = Buffer.alloc(value.length + 8);
        numbered.set(value);
        numbered.writeBigUInt64BE(BigInt(sum), value.length);
        rows("put", { ...entry, $value: numbered, $version: randomUUID() });
        if (kept !== null && own !== null) {
          const at = { $key: `${own.prefix}${sum}`, $ttl: own.ttl };
          rows("put", { ...at, $value: kept.value, $version: randomUUID() });
        }
        return sum;
      });
    },
    async add(key, amount, ttlMs) {
      const row = rows("add", { $key: checkName(key), $amount: checkAmount(amount), $ttl: checkTtl(ttlMs) })[0];
      return Number(row?.sum);
    },
    async sum(key) {
      return Number(rows("sum", { $key: checkName(key) })[0]?.sum ?? 0);
    },
    async reset(key) {
      rows("reset", { $key: checkName(key) });
    },
    async advance(key, value, holder, ttlMs) {
      const parameters = {
        $key: checkName(key),
        $mark: checkMark(value),
        $holder: checkName(holder),
        $ttl: checkTtl(ttlMs),
      };
      return rows("advance", parameters).length === 1;
    },
    async join(key, member, expiresAtMs, membersMax) {
      const set = { $key: checkName(key) };
      const joined = { ...set, $member: checkName(member), $expires: checkExpiry(expiresAtMs) };
      if (membersMax === undefined) return void rows("join", joined);
      const bound = { ...set, $max: checkMembersMax(membersMax) };
      atomically(database, () => {
        rows("join", joined);
        rows("bound", bound);
      });
    },
    async leave(key, member) {
      // What has expired goes too, but it was not there.
      const row = rows("leave", { $key: checkName(key), $member: checkName(member) })[0];
      return row?.there === 1;
    },
    async members(key) {
      return rows("members", { $key: checkName(key) }).map((row) => String(row.member));
    },
    async ping() {
      rows("ping");
    },
    async close() {
      clearInterval(sweeper);
      if (database.isOpen) database.close();
    },
  };
}

type Prepared = (parameters: Record<string, SQLInputValue>) => Record<string, unknown>[];

/** `all` also for writes: a statement with RETURNING is carried out and committed when its last row was read. */
function prepared(database: DatabaseSync, sql: string): Prepared {
  const statement = database.prepare(sql);
  statement.setAllowUnknownNamedParameters(true);
  return (parameters) => statement.all(parameters);
}

function bytes(value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError("a stored value is not bytes");
  return value;
}
