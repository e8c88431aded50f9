import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { findProgram, startProgram } from "./binaries.ts";
import type { Way } from "./types.ts";

const run = promisify(execFile);
const source = join(import.meta.dirname, "ferretdb");
const cache = join(import.meta.dirname, "../../.engines");
const buildTimeoutMs = 15 * 60_000;

/** FerretDB on SQLite, built once from `ferretdb/` where Go is installed: the MongoDB protocol, but not its atomicity. */
export const fromFerretDb: Way = async (engine, context) => {
  if (engine !== "mongodb") return null;
  const program = await buildFerretDb(context.env, context.log);
  return program === null ? null : await startProgram(engine, program, context);
};

/** @returns the program, built if its sources changed; null without Go. */
export async function buildFerretDb(env: NodeJS.ProcessEnv, log: (line: string) => void): Promise<string | null> {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(source, file)));
  const program = join(cache, `ferretdb-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  const go = findProgram("go", env);
  if (go === null) return null;
  log("mongodb: building FerretDB with Go; this takes a minute or two, once");
  mkdirSync(cache, { recursive: true });
  // Under another name first, so that a second run beside this one never starts half a program.
  const unfinished = `${program}.${process.pid}`;
  await run(go, ["build", "-trimpath", "-buildvcs=false", "-o", unfinished, "."], {
    cwd: source,
    timeout: buildTimeoutMs,
    env,
  });
  renameSync(unfinished, program);
  return program;
}
