import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

export const root = join(import.meta.dirname, "../..");

export const read = (path: string): string => readFileSync(join(root, path), "utf8");
export const exists = (path: string): boolean => existsSync(join(root, path));

/** Every document that people read, by its path from the root. */
export function documents(): string[] {
  const inFolder = (folder: string) =>
    readdirSync(join(root, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name));
  return ["", "docs", "docs/adr"].flatMap(inFolder);
}

/** Links of a document to files, as paths from the root and without their fragment. */
export function linksToFiles(path: string): { readonly target: string; readonly fragment: string }[] {
  return [...read(path).matchAll(/\]\((?<link>[^)\s]+)\)/g)]
    .map(({ groups }) => groups?.link ?? "")
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [file = "", fragment = ""] = link.split("#");
      const target = file === "" ? path : relative(root, join(root, dirname(path), file));
      return { target, fragment };
    });
}

/** The code blocks of one language, in order. */
export function blocks(document: string, language: string): string[] {
  return [...document.matchAll(/^```(?<language>\S*)\n(?<body>[\s\S]*?)^```$/gm)]
    .filter(({ groups }) => groups?.language === language)
    .map(({ groups }) => groups?.body ?? "");
}

/** Cells of the table under a heading, row by row. */
export function rows(document: string, heading: string): string[][] {
  const text = `\n${document}`;
  const section = text.slice(text.indexOf(`\n${heading}\n`)).split(/\n#+ /)[1] ?? "";
  const lines = section.split("\n").filter((line) => line.startsWith("|"));
  return lines.slice(2).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** First cells of the table under a heading, without their back quotes. */
export function firstColumn(document: string, heading: string): string[] {
  return rows(document, heading).map(([first = ""]) => first.replaceAll("`", ""));
}

/** All TypeScript files below `src` of libs and services, with their text. */
export function* sources(): Generator<readonly [path: string, text: string]> {
  for (const kind of ["libs", "services"]) {
    for (const name of readdirSync(join(root, kind))) {
      const folder = join(kind, name, "src");
      if (!exists(folder)) continue;
      for (const file of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }))
        if (file.endsWith(".ts")) yield [join(folder, file), read(join(folder, file))];
    }
  }
}
