/**
 * Writes the registries of gates, `all.ts` in each of three folders, from the files that are there. Reads them as text: it has to run
 * where what it wrote before names a file that is gone.
 *
 *     npm run gates
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Folder {
  readonly path: string;
  /** What each gate of it is. */
  readonly type: string;
  /** File of that type. */
  readonly from: string;
}

export const gateFolders: readonly Folder[] = [
  { path: "libs/policy/src/gates", type: "Gate", from: "gate" },
  { path: "services/factors/src/gates", type: "Gate", from: "gate" },
  { path: "libs/client/src/prompts", type: "Prompt", from: "prompt" },
];

/** @returns the gates of a folder, in the order of the alphabet: files of one word that export a const of their own name. */
export function gatesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => /^(?<word>[a-z]+)\.ts$/.exec(name)?.groups?.word ?? "")
    .filter((word) => word !== "" && word !== "all")
    .filter((word) =>
      new RegExp(`^export const ${word}\\b`, "m").test(readFileSync(join(folder, `${word}.ts`), "utf8")),
    )
    .sort();
}

/** Each registry as it has to be, by its path from the root. */
export function renderRegistries(root: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    gateFolders.map(({ path, type, from }) => {
      const gates = gatesIn(join(root, path));
      if (gates.length === 0) throw new Error(`there is no gate in ${path}`);
      const imports = [...gates, from]
        .sort()
        .map((file) => `import ${file === from ? `type { ${type} }` : `{ ${file} }`} from "./${file}.ts";`);
      const lines = [
        "// Written by `npm run gates` from the files beside it. Changes made here are lost.",
        ...imports,
        "",
        "export const all = {",
        ...gates.map((gate) => `  ${gate},`),
        `} satisfies Record<string, ${type}>;`,
      ];
      return [`${path}/all.ts`, `${lines.join("\n")}\n`];
    }),
  );
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "../..");
  for (const [path, text] of Object.entries(renderRegistries(root))) {
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path} written\n`);
  }
}
