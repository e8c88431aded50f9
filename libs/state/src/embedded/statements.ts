/** Tables begin with an underscore, which no collection of the document port can, because they may share one file. */
export const schema = `
  CREATE TABLE IF NOT EXISTS _state_entries (
    key TEXT PRIMARY KEY NOT NULL, value BLOB NOT NULL, version TEXT NOT NULL, expires_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS _state_entries_expiry ON _state_entries (expires_at_ms);
  CREATE TABLE IF NOT EXISTS _state_counters (
    key TEXT PRIMARY KEY NOT NULL, sum INTEGER NOT NULL, expires_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS _state_counters_expiry ON _state_counters (expires_at_ms);
  CREATE TABLE IF NOT EXISTS _state_marks (
    key TEXT PRIMARY KEY NOT NULL, mark INTEGER NOT NULL, holder TEXT NOT NULL, expires_at_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS _state_marks_expiry ON _state_marks (expires_at_ms);
  CREATE TABLE IF NOT EXISTS _state_members (
    key TEXT NOT NULL, member TEXT NOT NULL, expires_at_ms INTEGER NOT NULL, PRIMARY KEY (key, member)
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS _state_members_expiry ON _state_members (expires_at_ms);
  CREATE INDEX IF NOT EXISTS _state_members_order ON _state_members (key, expires_at_ms, member);
`;

/**
 * One statement per operation, so that each is atomic by itself. An upsert whose WHERE is false changes nothing and returns
 * no row: that is how a caller learns that it lost.
 */
export const statements = {
  get: "SELECT value, version FROM _state_entries WHERE key = $key AND expires_at_ms > $now",
  create: `INSERT INTO _state_entries (key, value, version, expires_at_ms) VALUES ($key, $value, $version, $now + $ttl)
    ON CONFLICT (key) DO UPDATE
      SET value = excluded.value, version = excluded.version, expires_at_ms = excluded.expires_at_ms
      WHERE expires_at_ms <= $now
    RETURNING key`,
  put: `INSERT INTO _state_entries (key, value, version, expires_at_ms) VALUES ($key, $value, $version, $now + $ttl)
    ON CONFLICT (key) DO UPDATE
      SET value = excluded.value, version = excluded.version, expires_at_ms = excluded.expires_at_ms`,
  replace: `UPDATE _state_entries SET value = $value, version = $next, expires_at_ms = $now + $ttl
    WHERE key = $key AND version = $version AND expires_at_ms > $now
    RETURNING key`,
  delete: `DELETE FROM _state_entries
    WHERE key = $key AND ($version IS NULL OR version = $version) AND expires_at_ms > $now
    RETURNING value`,

  add: `INSERT INTO _state_counters (key, sum, expires_at_ms) VALUES ($key, $amount, $now + $ttl)
    ON CONFLICT (key) DO UPDATE SET
      sum = CASE WHEN expires_at_ms > $now THEN sum + excluded.sum ELSE excluded.sum END,
      expires_at_ms = CASE WHEN expires_at_ms > $now THEN expires_at_ms ELSE excluded.expires_at_ms END
    RETURNING sum`,
  sum: "SELECT sum FROM _state_counters WHERE key = $key AND expires_at_ms > $now",
  reset: "DELETE FROM _state_counters WHERE key = $key",

  /* A repeated request of the holder matches too; it writes what is there, so that its time to live stays. */
  advance: `INSERT INTO _state_marks (key, mark, holder, expires_at_ms) VALUES ($key, $mark, $holder, $now + $ttl)
    ON CONFLICT (key) DO UPDATE SET
      expires_at_ms = CASE WHEN mark = excluded.mark AND expires_at_ms > $now THEN expires_at_ms ELSE excluded.expires_at_ms END,
      mark = excluded.mark, holder = excluded.holder
      WHERE excluded.mark > mark OR (excluded.mark = mark AND excluded.holder = holder) OR expires_at_ms <= $now
    RETURNING key`,

  join: `INSERT INTO _state_members (key, member, expires_at_ms) VALUES ($key, $member, $expires)
    ON CONFLICT (key, member) DO UPDATE SET expires_at_ms = max(expires_at_ms, excluded.expires_at_ms)`,
  bound: `DELETE FROM _state_members WHERE key = $key AND member IN
    (SELECT member FROM _state_members WHERE key = $key AND expires_at_ms > $now
      ORDER BY expires_at_ms DESC, member DESC LIMIT -1 OFFSET $max)`,
  leave: "DELETE FROM _state_members WHERE key = $key AND member = $member RETURNING expires_at_ms > $now AS there",
  members: "SELECT member FROM _state_members WHERE key = $key AND expires_at_ms > $now",

  sweepEntries:
    "DELETE FROM _state_entries WHERE key IN (SELECT key FROM _state_entries WHERE expires_at_ms <= $now LIMIT 1000)",
  sweepCounters:
    "DELETE FROM _state_counters WHERE key IN (SELECT key FROM _state_counters WHERE expires_at_ms <= $now LIMIT 1000)",
  sweepMarks:
    "DELETE FROM _state_marks WHERE key IN (SELECT key FROM _state_marks WHERE expires_at_ms <= $now LIMIT 1000)",
  sweepMembers: `DELETE FROM _state_members WHERE (key, member) IN
    (SELECT key, member FROM _state_members WHERE expires_at_ms <= $now LIMIT 1000)`,

  ping: "SELECT 1",
} as const;
