import { existsSync } from "node:fs";
import { join } from "node:path";
import { cruise, type IModule } from "dependency-cruiser";
import { rules } from "./rules.ts";

export interface Problem {
  readonly rule: string;
  readonly what: string;
}

export interface Graph {
  /** The files of this repository; what they import from node_modules is an edge, not a module. */
  readonly modules: readonly IModule[];
  readonly problems: readonly Problem[];
}

/** Reads every import below `root`, types included, and holds it against the rules. */
export async function readGraph(root: string): Promise<Graph> {
  const folders = ["libs", "services", "deploy", "test"].filter((folder) => existsSync(join(root, folder)));
  const { output } = await cruise(folders, {
    baseDir: root,
    validate: true,
    ruleSet: { forbidden: rules.map((rule) => ({ severity: "error", ...rule })) },
    // TypeScript 7 has no programming interface; without a parser that is there, everything would pass unseen.
    parser: "swc",
    tsPreCompilationDeps: true,
    doNotFollow: { path: ["node_modules"] },
    // Made from the rest.
    exclude: { path: ["^libs/[^/]+/dist/"] },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types", "default"],
      mainFields: ["module", "main", "types"],
      extensions: [".ts", ".mjs", ".cjs", ".js", ".json", ".node", ".d.ts", ".mts"],
    },
  });
  if (typeof output === "string") throw new Error("dependency-cruiser gave text instead of a graph");
  const comments = new Map(rules.map(({ name, comment }) => [name, comment]));
  return {
    modules: output.modules.filter(({ source }) => /^(libs|services|deploy|test)\//.test(source)),
    problems: output.summary.violations.map(({ rule, from, to, cycle }) => {
      const path = cycle ? [from, ...cycle.map(({ name }) => name)].join(" -> ") : `${from} -> ${to}`;
      return { rule: rule.name, what: `${path} (${comments.get(rule.name)})` };
    }),
  };
}
