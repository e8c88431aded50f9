import { join } from "node:path";
import { type OutputChunk, rolldown } from "rolldown";
import type { Entry } from "./entries.ts";

const root = join(import.meta.dirname, "..");

/**
 * One file for each entry, one for what several files need, and one for each part that is loaded on demand. What comes from npm is inside:
 * an application gets what was tested here, and an SDK without dependencies.
 */
export async function bundle(entries: readonly Entry[], folder: string): Promise<readonly OutputChunk[]> {
  const build = await rolldown({
    cwd: root,
    input: Object.fromEntries(entries.map(({ name, source }) => [name, join(root, "src", source)])),
    platform: "browser",
    transform: {
      target: "es2022",
      inject: { "Promise.withResolvers": [join(import.meta.dirname, "with-resolvers.ts"), "withResolvers"] },
    },
  });
  try {
    const { output } = await build.write({
      dir: folder,
      format: "esm",
      minify: true,
      sourcemap: true,
      entryFileNames: "[name].js",
      // Without a hash: an application's own bundler adds one, and a package has a version.
      chunkFileNames: "[name].js",
      // Else what the entry and a part on demand have in common would come with that part.
      codeSplitting: { groups: [{ name: "shared", minShareCount: 2 }] },
    });
    return output.filter((file) => file.type === "chunk");
  } finally {
    await build.close();
  }
}

/** What a page loads that imports an entry: the file and all that it imports at once, and not what is loaded on demand. */
export function loadedWith(entry: string, chunks: readonly OutputChunk[]): readonly OutputChunk[] {
  const loaded = new Map<string, OutputChunk>();
  const load = (fileName: string): void => {
    const chunk = chunks.find((each) => each.fileName === fileName);
    if (chunk === undefined || loaded.has(fileName)) return;
    loaded.set(fileName, chunk);
    for (const imported of chunk.imports) load(imported);
  };
  load(entry);
  return [...loaded.values()];
}
