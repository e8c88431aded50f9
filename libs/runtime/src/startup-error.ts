/**
 * The process cannot start, for a reason that whoever starts it can do something about. `message` is the whole explanation,
 * one line, and says what to do; `runProcess` prints it without a stack and exits with 1.
 */
export class StartupError extends Error {
  override readonly name: string = "StartupError";
}

export interface StartupHints {
  /** Environment variable that moves the port. Default `PORT`. */
  readonly portSetting?: string;
  /** Environment variable that moves the data folder. Default: the line names none. */
  readonly folderSetting?: string;
}

const folderCodes: ReadonlyMap<string, string> = new Map([
  ["EACCES", "permission denied"],
  ["EPERM", "not permitted"],
  ["EROFS", "the file system is read-only"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota is used up"],
]);

/** SQLite's primary result codes (https://sqlite.org/rescode.html) that mean the same as one of the above. */
const sqliteCodes: ReadonlyMap<number, string> = new Map([
  [8, "the database is read-only"],
  [13, "the disk is full"],
  [14, "the database file cannot be opened"],
]);

const causesMax = 5;

/**
 * The one line for errors of the operating system that people meet at start: port in use, port not allowed, folder not
 * writable. Looks through `cause`.
 * @returns null for everything else, which then deserves its stack.
 */
export function asStartupError(error: unknown, hints: StartupHints = {}): StartupError | null {
  let current = error;
  for (let depth = 0; depth < causesMax && current instanceof Error; depth += 1) {
    if (current instanceof StartupError) return current;
    const line = lineFor(current, hints);
    if (line !== null) return new StartupError(line, { cause: error });
    current = current.cause;
  }
  return null;
}

function lineFor(error: Error, hints: StartupHints): string | null {
  const { code, syscall, port, path, errcode } = error as Error & Readonly<Record<string, unknown>>;
  if (code === "ERR_SQLITE_ERROR" && typeof errcode === "number") {
    // Extended codes carry the primary one in the low byte.
    const reason = sqliteCodes.get(errcode & 0xff);
    return reason === undefined ? null : `cannot use the data folder: ${reason}${folderAdvice(hints)}`;
  }
  if (typeof code !== "string") return null;
  if (syscall === "listen" || syscall === "bind") {
    const named = typeof port === "number" ? `port ${port}` : "the port";
    const setting = hints.portSetting ?? "PORT";
    if (code === "EADDRINUSE") return `${named} is in use: stop the other program or set ${setting}`;
    if (code === "EACCES") return `${named} may not be used by this user: set ${setting} to 1024 or above`;
    if (code === "EADDRNOTAVAIL") return `${named} cannot be opened: this machine does not have that address`;
    return null;
  }
  const reason = folderCodes.get(code);
  if (reason === undefined || typeof path !== "string") return null;
  return `cannot use ${JSON.stringify(path)}: ${reason}${folderAdvice(hints)}`;
}

function folderAdvice(hints: StartupHints): string {
  return hints.folderSetting === undefined ? "" : `; make it writable or set ${hints.folderSetting}`;
}
