import type { DatabaseSync } from "node:sqlite";

/**
 * Runs `work` in one transaction that holds the write lock from its start, so that what it read is still true when it
 * writes. `work` must be synchronous: a transaction never spans an await.
 */
export function atomically<T>(database: DatabaseSync, work: () => T): T {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    // A full disk makes SQLite roll back by itself; a second ROLLBACK would then hide the true error.
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}
