import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const requirements = join(import.meta.dirname, "requirements.txt");
/** Among what npm installed, which git ignores and `npm ci` clears; not in a folder in which others could have left a Python. */
const cache = join(import.meta.dirname, "../../node_modules/.cache");

/** @returns a Python that has exactly the packages of `requirements.txt`, or why there is none on this machine. */
export async function findPython(): Promise<{ readonly python: string } | { readonly missing: string }> {
  try {
    const { stdout: version } = await run("python3", ["-c", "import sys; print(sys.version, sys.prefix)"]);
    const name = createHash("sha256")
      .update(version)
      .update(await readFile(requirements));
    const folder = join(cache, `interop-${name.digest("hex").slice(0, 16)}`);
    const python = join(folder, "bin/python");
    if (!existsSync(python)) await make(folder);
    return { python };
  } catch (error) {
    return { missing: lastLineOf(error) };
  }
}

/** Under another name first: who is interrupted, or looks meanwhile, does not take half of it for the whole. */
async function make(folder: string): Promise<void> {
  const unfinished = `${folder}-${randomBytes(4).toString("hex")}`;
  try {
    await mkdir(cache, { recursive: true });
    await run("python3", ["-m", "venv", unfinished], { timeout: 60_000 });
    const pip = [
      "-m",
      "pip",
      "install",
      "--quiet",
      "--disable-pip-version-check",
      "--only-binary=:all:",
      "--retries=1",
    ];
    await run(join(unfinished, "bin/python"), [...pip, "--require-hashes", "-r", requirements], { timeout: 120_000 });
    await rename(unfinished, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

/** Of what the program said that failed, else of why it could not be started. */
function lastLineOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return (stderr || message || String(error)).trim().split("\n").at(-1) ?? "";
}
