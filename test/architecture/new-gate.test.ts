import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blocks, read, root } from "../docs/repository.ts";
import { type Copy, copyRepository } from "./support/copy.ts";

const full = process.env.PORTCULLIS_FULL === "1";
const registries = [
  "libs/client/src/prompts/all.ts",
  "libs/policy/src/gates/all.ts",
  "services/factors/src/gates/all.ts",
];

/** The files of the recipe with what it puts into them: each numbered step names one, and shows it. */
function recipe(): { readonly path: string; readonly text: string }[] {
  const section =
    read("CONTRIBUTING.md")
      .split(/^## /m)
      .find((each) => each.startsWith("Adding a gate\n")) ?? "";
  return section
    .split(/^\d+\. /m)
    .slice(1)
    .map((step) => {
      const path = /^`(?<path>[^`]+\.ts)`: /.exec(step)?.groups?.path ?? "";
      const [text = ""] = blocks(step.replaceAll(/^ {3}/gm, ""), "ts");
      return { path, text };
    });
}

test("the recipe shows three files, and its command is the one that there is", () => {
  const files = recipe();
  expect(files.map(({ path }) => path)).toEqual([
    "libs/policy/src/gates/word.ts",
    "services/factors/src/gates/word.ts",
    "libs/client/src/prompts/word.ts",
  ]);
  for (const { text } of files) expect(text).toMatch(/^export const word\b/m);
  expect(read("CONTRIBUTING.md")).toContain("`npm run gates`");
  const { scripts } = JSON.parse(read("package.json"));
  expect(scripts.gates).toBe("node deploy/local/with-setup.mjs libs/policy/generate-gates.ts");
});

describe.skipIf(!full)("a gate added by the recipe", { timeout: 300_000 }, () => {
  let copy: Copy;
  beforeAll(async () => {
    copy = await copyRepository(root);
    for (const { path, text } of recipe()) writeFileSync(join(copy.folder, path), text);
    // As `npm run gates` does, less the setting up: what is installed is shared, and not to be installed again.
    await copy.node("libs/policy/generate-gates.ts");
  }, 60_000);
  afterAll(() => rmSync(copy.folder, { recursive: true, force: true }));

  test("is three files, and what the command writes: one import and one name in each registry", async () => {
    const status = (await copy.git("status", "--porcelain", "--untracked-files=all")).split("\n").filter(Boolean);
    expect(status.toSorted()).toEqual(
      [...registries.map((path) => ` M ${path}`), ...recipe().map(({ path }) => `?? ${path}`)].toSorted(),
    );
    const changed = await copy.git("diff", "--unified=0", "--", ...registries);
    const lines = changed.split("\n").filter((line) => /^[+-](?![+-])/.test(line));
    expect(lines).toEqual(registries.flatMap(() => ['+import { word } from "./word.ts";', "+  word,"]));
  });

  test("passes the checks of lint, types and architecture", async () => {
    const files = [...registries, ...recipe().map(({ path }) => path)];
    await copy.run(join(copy.folder, "node_modules/.bin/biome"), ["check", "--error-on-warnings", ...files]);
    await copy.run(join(copy.folder, "node_modules/.bin/tsc"), ["--noEmit"]);
    await copy.node("test/architecture/check.ts");
  });

  test("lets in who knows, prompted and unasked, and nobody else", async () => {
    expect(JSON.parse(await copy.node("test/architecture/support/play-word.ts"))).toEqual({
      right: ["key", "word"],
      wrong: "denied",
      offered: ["key", "word"],
      wronglyOffered: "denied",
      logged: false,
    });
  });
});
