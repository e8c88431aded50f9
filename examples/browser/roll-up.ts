import { join } from "node:path";
import { rolldown } from "rolldown";

/** The page's scripts as an application would ship them, by the path at which each is asked for: what is needed later is a file of its own. */
export async function rollUp(): Promise<ReadonlyMap<string, string>> {
  const build = await rolldown({
    input: join(import.meta.dirname, "page/chat.ts"),
    platform: "browser",
    transform: { target: "es2022" },
  });
  try {
    const { output } = await build.generate({ format: "esm", minify: true });
    return new Map(output.filter((file) => file.type === "chunk").map(({ fileName, code }) => [`/${fileName}`, code]));
  } finally {
    await build.close();
  }
}
