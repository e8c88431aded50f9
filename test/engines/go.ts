import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "./binaries.ts";
import { installFromDebian } from "./debian.ts";
import { runProgram } from "./programs.ts";
import type { StartContext } from "./types.ts";

/** Taken where the Go of the machine is older than what `go.mod` asks for. */
const toolchain = "1.24.11";
const askTimeoutMs = 60_000;
const downloadTimeoutMs = 10 * 60_000;
const architectures: Partial<Record<NodeJS.Architecture, string>> = { x64: "amd64", arm64: "arm64" };

/**
 * A Go that is new enough: the machine's, or Debian's for root on Debian, or, where that is too old (Debian 12 has 1.19), the
 * toolchain that the Go project publishes as a module: an old Go downloads it like any other and checks it against the
 * checksum database, and it stays in the module cache. @returns null without any Go.
 */
export async function findGo(needed: string, context: Pick<StartContext, "env" | "log">): Promise<string | null> {
  const { env, log } = context;
  let go = findProgram("go", env);
  if (go === null && (await installFromDebian("golang-go", "mongodb", context))) go = findProgram("go", env);
  if (go === null) return null;
  // Outside a module, because an old Go refuses to read a newer one's go.mod, and without switching, to hear its own version.
  const asked = { env: { ...env, GOTOOLCHAIN: "local" }, cwd: tmpdir(), timeoutMs: askTimeoutMs };
  const version = (await runProgram(go, ["env", "GOVERSION"], asked)).trim();
  if (isAtLeast(version, needed)) return go;
  log(`mongodb: ${version} is older than ${needed}: getting Go ${toolchain} with it`);
  return await fromModuleCache(go, asked.env);
}

/** `go1.24.3` and `1.24` alike. */
export function isAtLeast(version: string, needed: string): boolean {
  const [major = 0, minor = 0] = numbers(version);
  const [neededMajor = 0, neededMinor = 0] = numbers(needed);
  return major > neededMajor || (major === neededMajor && minor >= neededMinor);
}

const numbers = (version: string) => (version.match(/\d+/g) ?? []).map(Number);

async function fromModuleCache(go: string, env: NodeJS.ProcessEnv): Promise<string> {
  const architecture = architectures[process.arch];
  if (architecture === undefined) throw new Error(`no Go ${toolchain} for ${process.arch}`);
  const module = `golang.org/toolchain@v0.0.1-go${toolchain}.${process.platform}-${architecture}`;
  const options = { env, cwd: tmpdir(), timeoutMs: downloadTimeoutMs };
  const { Dir: folder } = JSON.parse(await runProgram(go, ["mod", "download", "-json", module], options));
  finish(String(folder));
  return join(String(folder), "bin/go");
}

/** What a newer Go does after its own download: a module has no executables, and no go.mod below its root. */
function finish(folder: string): void {
  for (const each of ["bin", "pkg/tool"]) allowExecution(join(folder, each));
  const [from, to] = [join(folder, "src/_go.mod"), join(folder, "src/go.mod")];
  if (existsSync(to)) return;
  chmodSync(join(folder, "src"), 0o755);
  writeFileSync(to, readFileSync(from));
}

function allowExecution(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) chmodSync(join(entry.parentPath, entry.name), 0o555);
  }
}
