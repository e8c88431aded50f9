import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Entry } from "./entries.ts";
import { shake } from "./shake.ts";

const libs = join(import.meta.dirname, "../..");
const repository = join(libs, "..");
/** Of what the SDK's own types may speak. */
const internal: Readonly<Record<string, string>> = {
  "@portcullis/protocol": "protocol/src/mod.ts",
  "@portcullis/crypto": "crypto/src/mod.ts",
};

/**
 * Writes the types of the entries, and of nothing else: without the monorepo, without what only the inside of the SDK uses, and so without
 * the types of what it is made of.
 *
 * @returns the file of each entry, below `folder`
 */
export function writeDeclarations(entries: readonly Entry[], folder: string): ReadonlyMap<Entry, string> {
  const emitted = mkdtempSync(join(tmpdir(), "portcullis-types-"));
  try {
    emit(entries, emitted);
    const files = new Map(
      readdirSync(emitted, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".d.ts"))
        .map((name) => [name.replace(/\.d\.ts$/, ".ts"), readFileSync(join(emitted, name), "utf8")]),
    );
    const sources = entries.map(({ source }) => `client/src/${source}`);
    const kept = shake(files, sources, resolve);
    for (const [name, text] of kept) {
      const target = join(folder, placeOf(name));
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, text);
    }
    return new Map(entries.map((entry) => [entry, placeOf(`client/src/${entry.source}`)]));
  } finally {
    rmSync(emitted, { recursive: true, force: true });
  }
}

/** @returns the file that is meant, below `libs`; null for one of npm */
function resolve(specifier: string, from: string): string | null {
  if (specifier.startsWith(".")) return join(dirname(from), specifier);
  return internal[specifier] ?? null;
}

function placeOf(name: string): string {
  return name.replace("/src/", "/").replace(/\.ts$/, ".d.ts");
}

function emit(entries: readonly Entry[], outDir: string): void {
  const config = join(outDir, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: libs,
    outDir,
    typeRoots: [join(repository, "node_modules/@types")],
  };
  const files = [...entries.map(({ source }) => join(libs, "client/src", source))];
  for (const file of Object.values(internal)) files.push(join(libs, file));
  const base = relative(outDir, join(repository, "tsconfig.base.json"));
  writeFileSync(config, JSON.stringify({ extends: base, compilerOptions, files }));
  const compiler = join(repository, "node_modules/typescript/bin/tsc");
  execFileSync(process.execPath, [compiler, "-p", config], { stdio: ["ignore", "inherit", "inherit"] });
}
