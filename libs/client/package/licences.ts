import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { OutputChunk } from "rolldown";

/**
 * The licences of what is inside, which all of them want to be kept.
 *
 * @throws {Error} where a package brings none
 */
export function licencesOf(chunks: readonly OutputChunk[]): string {
  const packages = new Set(
    chunks
      .flatMap(({ modules }) => Object.entries(modules))
      .filter(([id, { code }]) => id.includes("node_modules") && code !== null && code !== "")
      .map(([id]) => packageOf(id)),
  );
  return [...packages]
    .toSorted()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = readdirSync(folder).find((each) => /^licen[cs]e(\.(md|txt))?$/i.test(each));
      if (file === undefined) throw new Error(`${name} brings no licence`);
      return `${name} ${version} (${license})\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

/** The folder that has a name and a version: packages have manifests further down that say no more than "module". */
function packageOf(id: string): string {
  for (let folder = dirname(id); folder !== dirname(folder); folder = dirname(folder)) {
    const manifest = join(folder, "package.json");
    if (existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version !== undefined) return folder;
  }
  throw new Error(`${id} is of no package`);
}
