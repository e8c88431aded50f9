import { type Problem, readGraph } from "./graph.ts";
import { lockProblems } from "./lockfile.ts";
import { packageCircles, undeclared, workspaceEdges } from "./packages.ts";
import { textProblems } from "./text.ts";

export interface Minimum {
  readonly modules: number;
  readonly workspaceEdges: number;
}

export interface Findings {
  readonly modules: number;
  readonly workspaceEdges: number;
  readonly problems: readonly Problem[];
}

/** Everything that is checked about who imports what below `root`. A check that saw too little is a problem itself. */
export async function inspect(root: string, minimum: Minimum): Promise<Findings> {
  const { modules, problems } = await readGraph(root);
  const edges = workspaceEdges(modules);
  const unseen: Problem[] = [];
  if (modules.length < minimum.modules) {
    unseen.push({
      rule: "saw-enough",
      what: `only ${modules.length} modules seen, at least ${minimum.modules} expected`,
    });
  }
  if (edges < minimum.workspaceEdges) {
    unseen.push({
      rule: "saw-enough",
      what: `only ${edges} imports between packages seen, ${minimum.workspaceEdges} expected`,
    });
  }
  const files = modules.map(({ source }) => source);
  return {
    modules: modules.length,
    workspaceEdges: edges,
    problems: [
      ...unseen,
      ...problems,
      ...undeclared(root, modules),
      ...packageCircles(modules),
      ...textProblems(root, files),
      ...lockProblems(root),
    ],
  };
}
