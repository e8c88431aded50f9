import { chmod, constants, copyFile, link, readFile, rm, stat, writeFile } from "node:fs/promises";
import type { MasterKeys } from "@portcullis/kms/local";
import { errorCode, StartupError, systemRandom } from "@portcullis/runtime";

const previousMax = 8;
const keyBytes = 32;

/**
 * One key per line, the current one first; older ones stay below it until the key ring is wrapped by the first. Made on the
 * first run, readable by the owner of the process only. Without it nothing stored can be read: back it up apart from the data.
 *
 * @param database a file whose presence says that this is no first run.
 * @throws {StartupError} it is damaged, or it is missing although there is data.
 */
export async function openMasterKeyFile(file: string, database: string): Promise<void> {
  if (!(await exists(file))) {
    if (await exists(database)) {
      throw new StartupError(
        `${file} is missing, and ${database} cannot be read without it: put back the copy that belongs to it`,
      );
    }
    await create(file);
  }
  // Somebody may have put it back with the permissions of a backup. Where that cannot be mended it is not this process's file.
  await chmod(file, 0o600).catch(() => undefined);
  await readMasterKeyFile(file);
}

/** @throws {StartupError} it is damaged, or cannot be read. */
export async function readMasterKeyFile(file: string): Promise<MasterKeys> {
  const keys = (await textOf(file))
    .trim()
    .split("\n")
    .map((line) => keyOf(line.trim()));
  const [current, ...previous] = keys.filter((key) => key !== null);
  if (current === undefined || keys.length !== 1 + previous.length || previous.length > previousMax) {
    throw new StartupError(`${file} is damaged: put back the copy that belongs to this data folder`);
  }
  return { current, previous };
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new StartupError(`${file} cannot be read (${errorCode(error) ?? "unknown"})`, { cause: error });
  }
}

function keyOf(text: string): Uint8Array | null {
  const key = Buffer.from(text, "base64url");
  return key.length === keyBytes && key.toString("base64url") === text ? new Uint8Array(key) : null;
}

/** Appears whole or not at all: a half-written key would look like a damaged one for ever. Of two at once one wins. */
async function create(file: string): Promise<void> {
  const draft = `${file}.${Buffer.from(systemRandom(6)).toString("hex")}`;
  await writeFile(draft, `${Buffer.from(systemRandom(keyBytes)).toString("base64url")}\n`, {
    mode: 0o600,
    flag: "wx",
    flush: true,
  });
  try {
    // Not every file system has links.
    await link(draft, file).catch((error: unknown) =>
      isTaken(error) ? Promise.reject(error) : copyFile(draft, file, constants.COPYFILE_EXCL),
    );
  } catch (error) {
    if (!isTaken(error)) throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EEXIST";
}

async function exists(file: string): Promise<boolean> {
  try {
    await stat(file);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
}
