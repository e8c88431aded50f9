import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { startProgram } from "./binaries.ts";
import { findGo } from "./go.ts";
import { runProgram } from "./programs.ts";
import type { StartContext, Way } from "./types.ts";

const source = join(import.meta.dirname, "ferretdb");
const cache = join(import.meta.dirname, "../../.engines");
const buildTimeoutMs = 15 * 60_000;

/** FerretDB on SQLite, built once from `ferretdb/` where Go is or can be had: the MongoDB protocol, but not its atomicity. */
export const fromFerretDb: Way = async (engine, context) => {
  if (engine !== "mongodb") return null;
  const program = await buildFerretDb(context);
  return program === null ? null : await startProgram(engine, program, context);
};

/** @returns the program, built if its sources changed; null without Go. */
export async function buildFerretDb(context: Pick<StartContext, "env" | "log">): Promise<string | null> {
  const { env, log } = context;
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", "main.go"]) hash.update(readFileSync(join(source, file)));
  const program = join(cache, `ferretdb-${hash.digest("hex").slice(0, 16)}`);
  if (existsSync(program)) return program;
  const needed = /^go ([\d.]+)$/m.exec(readFileSync(join(source, "go.mod"), "utf8"))?.[1];
  if (needed === undefined) throw new Error("go.mod names no Go version");
  const go = await findGo(needed, context);
  if (go === null) return null;
  log("mongodb: building FerretDB with Go; this takes a minute or two, once");
  mkdirSync(cache, { recursive: true });
  // Under another name first, so that a second run beside this one never starts half a program.
  const unfinished = `${program}.${process.pid}`;
  await runProgram(go, ["build", "-trimpath", "-buildvcs=false", "-o", unfinished, "."], {
    cwd: source,
    timeoutMs: buildTimeoutMs,
    // No C: a compiler for it may be missing, and a static program runs in an empty image. This very Go, and no other.
    env: { ...env, CGO_ENABLED: "0", GOTOOLCHAIN: "local" },
  });
  renameSync(unfinished, program);
  return program;
}
