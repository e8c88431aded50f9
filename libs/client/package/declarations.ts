import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import type { Entry } from "./entries.ts";
import { shake } from "./shake.ts";

const libs = join(import.meta.dirname, "../..");
const repository = join(libs, "..");
/** Of what the SDK's own types may speak: folders of `libs`. */
const internal = new Map([
  ["@portcullis/protocol", "protocol"],
  ["@portcullis/crypto", "crypto"],
]);

/**
 * Writes the types of the entries, and of nothing else: without the monorepo, without what only the inside of the SDK uses, and so without
 * the types of what it is made of.
 *
 * @returns the file of each entry, below `folder`
 */
export function writeDeclarations(entries: readonly Entry[], folder: string): ReadonlyMap<Entry, string> {
  // Apart, so that what a program in Node needs is emitted where there is no DOM to lean on. That one counts for what both have.
  const [withDom, without] = [true, false].map((dom) => entries.filter(({ needsDom }) => needsDom === dom));
  const files = new Map([...emit(withDom ?? [], ["dom", "dom.iterable"]), ...emit(without ?? [], [])]);
  const placed = new Map(entries.map((entry) => [entry, placeOf(`client/src/${entry.source}`)]));
  for (const [name, text] of shake(files, [...placed.values()], resolve)) {
    const target = join(folder, declarationOf(name));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text);
  }
  return new Map([...placed].map(([entry, name]) => [entry, declarationOf(name)]));
}

/** @returns the file that is meant; null for one of npm */
function resolve(specifier: string, from: string): string | null {
  if (specifier.startsWith(".")) return join(dirname(from), specifier);
  const library = internal.get(specifier);
  return library === undefined ? null : `${library}/mod.ts`;
}

/** In the package, where there is nothing but sources. */
function placeOf(name: string): string {
  return name.replace("/src/", "/");
}

function declarationOf(name: string): string {
  return name.replace(/\.ts$/, ".d.ts");
}

/** @param lib besides that of all the code @returns what is declared, by the name of its source */
function emit(entries: readonly Entry[], lib: readonly string[]): ReadonlyMap<string, string> {
  const outDir = mkdtempSync(join(tmpdir(), "portcullis-types-"));
  try {
    const config = join(outDir, "tsconfig.json");
    const base = join(repository, "tsconfig.base.json");
    const compilerOptions = {
      noEmit: false,
      declaration: true,
      emitDeclarationOnly: true,
      rootDir: libs,
      outDir,
      typeRoots: [join(repository, "node_modules/@types")],
      lib: [...JSON.parse(readFileSync(base, "utf8")).compilerOptions.lib, ...lib],
    };
    const files = entries.map(({ source }) => join(libs, "client/src", source));
    for (const library of internal.values()) files.push(join(libs, library, "src/mod.ts"));
    writeFileSync(config, JSON.stringify({ extends: relative(outDir, base), compilerOptions, files }));
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    execFileSync(process.execPath, [compiler, "-p", config], { stdio: ["ignore", "inherit", "inherit"] });
    return new Map(
      readdirSync(outDir, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".d.ts"))
        .map((name) => [placeOf(name.replace(/\.d\.ts$/, ".ts")), readFileSync(join(outDir, name), "utf8")]),
    );
  } finally {
    rmSync(outDir, { recursive: true, force: true });
  }
}
