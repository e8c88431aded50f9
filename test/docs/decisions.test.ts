import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { exists, firstColumn, read, root } from "./repository.ts";

/** What a running Portcullis is made of, besides itself. */
function runtimeDependencies(): Set<string> {
  const manifests = ["libs", "services"].flatMap((kind) =>
    readdirSync(join(root, kind)).map((name) => join(kind, name, "package.json")),
  );
  const names = ["package.json", ...manifests].filter(exists).flatMap((path) => {
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(read(path));
    return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
  });
  return new Set(names.filter((name) => !name.startsWith("@portcullis/")));
}

describe("docs/adr", () => {
  const names = readdirSync(join(root, "docs/adr"));

  test("is numbered without a gap, and each page begins with its number", () => {
    const numbers = names.toSorted().map((name) => name.slice(0, 4));
    expect(numbers).toEqual(numbers.map((_, index) => `${index + 1}`.padStart(4, "0")));
    for (const name of names) expect(read(`docs/adr/${name}`), name).toMatch(new RegExp(`^# ${name.slice(0, 4)}: `));
  });

  test("0003 says of every runtime dependency why it is there, and of no other", () => {
    const explained = firstColumn(
      read("docs/adr/0003-runtime-dependencies.md"),
      "# 0003: Runtime dependencies, and why each is there",
    ).flatMap((cell) => cell.split(", "));
    expect(explained.toSorted()).toEqual([...runtimeDependencies()].toSorted());
  });
});
