import { join } from "node:path";
import { inspect } from "./inspect.ts";

/** `npm run architecture`: who may import whom. */
const { modules, workspaceEdges, problems } = await inspect(join(import.meta.dirname, "../.."), {
  modules: 100,
  workspaceEdges: 50,
});
for (const { rule, what } of problems) process.stderr.write(`${rule}: ${what}\n`);
process.stdout.write(
  `${modules} modules, ${workspaceEdges} imports between packages, ${problems.length === 0 ? "no" : problems.length} problems\n`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
