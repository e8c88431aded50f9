/**
 * Writes the SDK as a package of its own: what `npm publish libs/client/dist` would publish.
 *
 *     npm run sdk
 */
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { OutputChunk } from "rolldown";
import { bundle } from "./bundle.ts";
import { writeDeclarations } from "./declarations.ts";
import { type Entry, entries } from "./entries.ts";
import { licencesOf } from "./licences.ts";
import { reportOf } from "./size.ts";

const root = join(import.meta.dirname, "..");
const repository = join(root, "../..");

/** @param folder emptied first */
export async function buildPackage(folder: string): Promise<readonly OutputChunk[]> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const chunks = await bundle(entries, folder);
  const types = writeDeclarations(entries, join(folder, "types"));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(manifestOf(types), null, 2)}\n`);
  writeFileSync(join(folder, "THIRD-PARTY-LICENSES"), licencesOf(chunks));
  copyFileSync(join(repository, "LICENSE"), join(folder, "LICENSE"));
  copyFileSync(join(repository, "docs/sdk.md"), join(folder, "README.md"));
  copyFileSync(join(repository, "docs/gate-element.md"), join(folder, "gate-element.md"));
  return chunks;
}

function manifestOf(types: ReadonlyMap<Entry, string>): object {
  const { name, version, license, engines } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const withEffect = entries.filter(({ hasEffect }) => hasEffect).map((entry) => `./${entry.name}.js`);
  const exported = (entry: Entry) => ({ types: `./types/${types.get(entry)}`, default: `./${entry.name}.js` });
  return {
    name,
    version,
    description: "Connects to a WebSocket behind Portcullis, one gate at a time",
    license,
    type: "module",
    engines,
    sideEffects: withEffect.length > 0 && withEffect,
    exports: Object.fromEntries([
      ...entries.map((entry) => [entry.subpath, exported(entry)]),
      ["./package.json", "./package.json"],
    ]),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const chunks = await buildPackage(join(root, "dist"));
  process.stdout.write(`${reportOf("index.js", chunks)}\n`);
}
