import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import type { IModule } from "dependency-cruiser";
import { z } from "zod";
import type { Problem } from "./graph.ts";

const names = z.record(z.string(), z.string()).default({});
const manifestSchema = z.object({ dependencies: names, devDependencies: names });
type Manifest = z.infer<typeof manifestSchema>;

/** `libs/x`, `services/x`, or `.` for deploy and test, which belong to the root package. */
function packageOf(file: string): string {
  return /^(libs|services)\/[^/]+/.exec(file)?.[0] ?? ".";
}

/** What makes the SDK's package is as far from production as a test is. */
function isTest(file: string): boolean {
  return /(^|\/)test\/|\.test\.ts$|^libs\/client\/package\//.test(file);
}

/** `@scope/name/deep` → `@scope/name`; null for a file or a built-in. */
function npmName(specifier: string): string | null {
  if (/^[./]/.test(specifier) || isBuiltin(specifier)) return null;
  return /^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? null;
}

/**
 * Each import of a package is declared by the package that imports it, and in `dependencies` where production needs it.
 * dependency-cruiser cannot tell: it sees workspace links as undetermined, and a test's `vitest` is declared in the root only.
 */
export function undeclared(root: string, modules: readonly IModule[]): Problem[] {
  const manifests = new Map<string, Manifest>();
  const manifestOf = (folder: string): Manifest => {
    const file = join(root, folder, "package.json");
    const manifest =
      manifests.get(folder) ?? manifestSchema.parse(existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {});
    manifests.set(folder, manifest);
    return manifest;
  };

  return modules.flatMap(({ source, dependencies }) => {
    const owner = packageOf(source);
    const own = manifestOf(owner);
    return dependencies.flatMap(({ module, resolved }): Problem[] => {
      const what = `${source} -> ${module}`;
      const name = npmName(module);
      if (name === null) {
        if (!module.startsWith(".") || isTest(source) || owner === "." || packageOf(resolved) === owner) return [];
        return [{ rule: "by-package-name", what: `${what} (another package is imported by its name)` }];
      }
      // The root links all of its workspaces.
      if (owner === "." && name.startsWith("@portcullis/")) return [];
      if (name in own.dependencies) return [];
      if (!isTest(source)) {
        return name in own.devDependencies
          ? [{ rule: "no-dev-dependency", what: `${what} (a devDependency of ${owner}/package.json in production)` }]
          : [{ rule: "declared", what: `${what} (not in the dependencies of ${owner}/package.json)` }];
      }
      const above = manifestOf(".");
      if ([own.devDependencies, above.devDependencies, above.dependencies].some((some) => name in some)) return [];
      return [{ rule: "declared", what: `${what} (neither in ${owner}/package.json nor in the root's)` }];
    });
  });
}

/** Packages that need each other, although no two of their files do. @returns each circle once. */
export function packageCircles(modules: readonly IModule[]): Problem[] {
  const edges = new Map<string, Set<string>>();
  for (const { source, dependencies } of modules) {
    const from = packageOf(source);
    if (from === "." || isTest(source)) continue;
    for (const { resolved } of dependencies) {
      const to = packageOf(resolved);
      if (to !== "." && to !== from) edges.set(from, (edges.get(from) ?? new Set()).add(to));
    }
  }
  const problems: Problem[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    const start = path.indexOf(name);
    if (start >= 0) {
      problems.push({ rule: "no-package-circle", what: [...path.slice(start), name].join(" -> ") });
      return;
    }
    if (done.has(name)) return;
    for (const next of edges.get(name) ?? []) visit(next, [...path, name]);
    done.add(name);
  };
  for (const name of edges.keys()) visit(name, []);
  return problems;
}

/** Imports from one workspace package to another: none means that the graph was not read. */
export function workspaceEdges(modules: readonly IModule[]): number {
  return modules
    .flatMap(({ source, dependencies }) => dependencies.map(({ resolved }) => [packageOf(source), packageOf(resolved)]))
    .filter(([from, to]) => to !== "." && from !== to).length;
}
