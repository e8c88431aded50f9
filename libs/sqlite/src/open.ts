import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

/** How long a statement waits for a writer in another process before it fails. */
const busyTimeoutMs = 5000;

/**
 * Opens a database the way every embedded adapter needs it: what was committed is on disk, several connections may share
 * the file, and nobody but this user reads it.
 *
 * @param file a path, or `:memory:` for a database that ends with the connection.
 */
export function openSqlite(file: string): DatabaseSync {
  if (file !== ":memory:") prepareFile(file);
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs });
  // WAL: readers do not block the writer. FULL: a commit returns only after its fsync (NORMAL may lose the last ones).
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  return database;
}

/** SQLite would create the file under the umask; its `-wal` and `-shm` files take the mode of the main file. */
function prepareFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
}
