import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { Problem } from "./graph.ts";

const names = z.record(z.string(), z.string()).default({});
const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      dependencies: names,
      optionalDependencies: names,
      devDependencies: names,
      link: z.boolean().default(false),
    }),
  ),
});

/**
 * Whatever a package of the lockfile needs has an entry there, for every platform. npm drops the entries of other platforms
 * when their packages could not be had while it wrote the file, says nothing, and `npm ci` then fails everywhere.
 */
export function lockProblems(root: string): Problem[] {
  const file = join(root, "package-lock.json");
  if (!existsSync(file)) return [];
  const { packages } = lockSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  return Object.entries(packages).flatMap(([place, { dependencies, optionalDependencies, devDependencies }]) => {
    const installed = place.includes("node_modules/");
    const needed = { ...dependencies, ...optionalDependencies, ...(installed ? {} : devDependencies) };
    return Object.keys(needed)
      .filter((name) => !isFound(name, place, packages))
      .map((name) => ({
        rule: "lock-complete",
        what: `${place || "the root"} needs ${name}, which package-lock.json lacks`,
      }));
  });
}

/** As Node looks for it: beside the package, then in each node_modules above. */
function isFound(name: string, place: string, packages: object): boolean {
  for (
    let folder = place;
    ;
    folder = folder.includes("/node_modules/") ? folder.replace(/\/node_modules\/(?!.*\/node_modules\/).*$/, "") : ""
  ) {
    if (`${folder === "" ? "" : `${folder}/`}node_modules/${name}` in packages) return true;
    if (folder === "") return false;
  }
}
