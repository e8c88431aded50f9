import { dirname, relative } from "node:path";
import { parseAst } from "rolldown/parseAst";

interface Statement {
  /** Its comment included. */
  readonly text: string;
  readonly names: readonly string[];
  /** All that it may speak of; that includes the names of its properties, which does no harm. */
  readonly words: ReadonlySet<string>;
}

interface Link {
  readonly local: string;
  readonly name: string;
  readonly from: string;
  readonly isType: boolean;
}

interface Declarations {
  readonly statements: readonly Statement[];
  readonly imports: readonly Link[];
  /** `export … from`. */
  readonly passedOn: readonly Link[];
}

type Node = Readonly<Record<string, unknown>> & { readonly type: string; readonly start: number; readonly end: number };

/**
 * Of declarations that refer to each other, those that the exports of `entries` need.
 *
 * @param files by name, which ends in `.ts`
 * @param resolve the name of the file that an import in `from` means; null where it is none of these
 * @returns by the same names; imports end in `.js`
 * @throws {Error} where they need something of elsewhere: whoever uses them would have to have it
 */
export function shake(
  files: ReadonlyMap<string, string>,
  entries: readonly string[],
  resolve: (specifier: string, from: string) => string | null,
): ReadonlyMap<string, string> {
  const read = new Map<string, Declarations>();
  const kept = new Map<string, Set<Statement | Link>>();

  function declarationsOf(file: string): Declarations {
    const text = files.get(file);
    if (text === undefined) throw new Error(`${file} has no declarations`);
    const declarations = read.get(file) ?? readDeclarations(file, text);
    read.set(file, declarations);
    return declarations;
  }

  function keep(file: string, part: Statement | Link): boolean {
    const parts = kept.get(file) ?? new Set();
    kept.set(file, parts);
    if (parts.has(part)) return false;
    parts.add(part);
    return true;
  }

  function follow(file: string, link: Link): void {
    if (!keep(file, link)) return;
    const target = resolve(link.from, file);
    if (target === null)
      throw new Error(`${file}: ${link.local} is a type of ${link.from}, which is not in the package`);
    need(target, link.name);
  }

  function need(file: string, name: string): void {
    const { statements, imports, passedOn } = declarationsOf(file);
    const link = passedOn.find(({ local }) => local === name) ?? imports.find(({ local }) => local === name);
    if (link !== undefined) follow(file, link);
    for (const statement of statements) {
      if (!statement.names.includes(name) || !keep(file, statement)) continue;
      for (const word of statement.words) needLocal(file, word);
    }
  }

  function needLocal(file: string, word: string): void {
    const { statements, imports } = declarationsOf(file);
    const link = imports.find(({ local }) => local === word);
    if (link !== undefined) follow(file, link);
    else if (statements.some(({ names }) => names.includes(word))) need(file, word);
  }

  for (const entry of entries) {
    const { statements, passedOn } = declarationsOf(entry);
    for (const name of [...passedOn.map(({ local }) => local), ...statements.flatMap(({ names }) => names)])
      need(entry, name);
    kept.set(entry, kept.get(entry) ?? new Set());
  }
  return new Map([...kept].map(([file, parts]) => [file, render(file, declarationsOf(file), parts, resolve)]));
}

function render(
  file: string,
  { statements, imports, passedOn }: Declarations,
  kept: ReadonlySet<Statement | Link>,
  resolve: (specifier: string, from: string) => string | null,
): string {
  const pathOf = (from: string): string => {
    const path = relative(dirname(file), resolve(from, file) ?? "").replace(/\.ts$/, ".js");
    return path.startsWith(".") ? path : `./${path}`;
  };
  const clause = ({ name, local }: Link) => (name === local ? name : `${name} as ${local}`);
  const isKept = (part: Statement | Link) => kept.has(part);
  return [
    ...imports.filter(isKept).map((link) => `import type { ${clause(link)} } from "${pathOf(link.from)}";`),
    ...passedOn
      .filter(isKept)
      .map((link) => `export ${link.isType ? "type " : ""}{ ${clause(link)} } from "${pathOf(link.from)}";`),
    ...statements.filter(isKept).map(({ text }) => text),
    // A file without an export would be a script.
    "export {};",
    "",
  ].join("\n");
}

function readDeclarations(file: string, text: string): Declarations {
  const statements: Statement[] = [];
  const imports: Link[] = [];
  const passedOn: Link[] = [];
  let end = 0;
  for (const node of parseAst(text, { lang: "dts" }).body as unknown as readonly Node[]) {
    const source = (node.source as { readonly value: string } | null | undefined)?.value;
    if (node.type === "ImportDeclaration" && source !== undefined) imports.push(...linksOf(file, node, source));
    else if (node.type === "ExportNamedDeclaration" && source !== undefined)
      passedOn.push(...linksOf(file, node, source));
    else if (node.type === "ExportAllDeclaration" || node.type === "ExportDefaultDeclaration")
      throw new Error(`${file}: exports by name only`);
    else {
      const declaration = (node.declaration ?? node) as Node;
      const names = namesOf(declaration);
      if (names.length > 0)
        statements.push({ text: text.slice(end, node.end).trim(), names, words: wordsOf(file, declaration) });
    }
    end = node.end;
  }
  return { statements, imports, passedOn };
}

function linksOf(file: string, node: Node, from: string): Link[] {
  return (node.specifiers as readonly Node[]).map((specifier) => {
    const nameOf = (key: string) => (specifier[key] as { readonly name: string }).name;
    if (specifier.type === "ExportSpecifier") {
      const isType = node.exportKind === "type" || specifier.exportKind === "type";
      return { local: nameOf("exported"), name: nameOf("local"), from, isType };
    }
    // A namespace is all of a module, which is more than anybody needs; who does need it is told what it is of.
    const name = specifier.type === "ImportSpecifier" ? nameOf("imported") : `* of ${file}`;
    return { local: nameOf("local"), name, from, isType: true };
  });
}

function namesOf(declaration: Node): string[] {
  const { id, declarations } = declaration as {
    id?: { name: string } | null;
    declarations?: { id: { name: string } }[];
  };
  return declarations === undefined ? (id == null ? [] : [id.name]) : declarations.map((each) => each.id.name);
}

function wordsOf(file: string, node: unknown, words = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) for (const each of node) wordsOf(file, each, words);
  else if (typeof node === "object" && node !== null) {
    const { type, name } = node as { readonly type?: string; readonly name?: string };
    if (type === "TSImportType") throw new Error(`${file}: a type is imported within a type; give it a name`);
    if (type === "Identifier" && name !== undefined) words.add(name);
    for (const each of Object.values(node)) wordsOf(file, each, words);
  }
  return words;
}
