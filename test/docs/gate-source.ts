import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseAst } from "rolldown/parseAst";
import { read, root } from "./repository.ts";

type Node = Readonly<Record<string, unknown>> & { readonly type: string };

const folder = "libs/client/src/gate";

/** What the element's code says of itself, read from its syntax: its modules need a browser, and what they show depends on what is asked. */
export interface GateSource {
  /** Names under which `::part` reaches something. */
  readonly parts: ReadonlySet<string>;
  /** Views by name; `ident-…` where the rest is worked out. */
  readonly views: ReadonlySet<string>;
  readonly attributes: ReadonlySet<string>;
}

export function readGateSource(): GateSource {
  const [parts, views, attributes] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const files = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    for (const node of nodesOf(parseAst(read(join(folder, file)), { lang: "ts" }))) {
      const property = propertyOf(node);
      const call = callOf(node);
      for (const text of property?.name === "part" ? textsOf(property.value) : []) addWords(parts, text);
      if (property?.name === "name" && file.startsWith("views/"))
        for (const text of textsOf(property.value)) views.add(text);
      if (call?.name === "button") for (const text of textsOf(call.given[1])) addWords(parts, text);
      if (call?.name === "getAttribute" && file === "element.ts")
        for (const text of textsOf(call.given[0])) attributes.add(text);
    }
  }
  return { parts, views, attributes };
}

function addWords(set: Set<string>, text: string): void {
  for (const word of text.split(" ")) if (word !== "" && word !== "…") set.add(word);
}

/** What it can be; `…` stands for what is worked out. */
function textsOf(node: Node | undefined): readonly string[] {
  if (node?.type === "Literal" && typeof node.value === "string") return [node.value];
  if (node?.type !== "TemplateLiteral") return [];
  const quasis = node.quasis as readonly { readonly value: { readonly cooked: string } }[];
  return [quasis.map(({ value }) => value.cooked).join("…")];
}

function propertyOf(node: Node): { readonly name: string; readonly value: Node } | null {
  if (node.type !== "Property") return null;
  const { key, value } = node as unknown as { readonly key: Node; readonly value: Node };
  return { name: String(key.name ?? key.value), value };
}

function callOf(node: Node): { readonly name: string; readonly given: readonly Node[] } | null {
  if (node.type !== "CallExpression") return null;
  const { callee, arguments: given } = node as unknown as {
    readonly callee: Node;
    readonly arguments: readonly Node[];
  };
  const name = callee.type === "MemberExpression" ? (callee.property as Node).name : callee.name;
  return { name: String(name), given };
}

function* nodesOf(node: unknown): Generator<Node> {
  if (Array.isArray(node)) for (const each of node) yield* nodesOf(each);
  else if (typeof node === "object" && node !== null) {
    if (typeof (node as Partial<Node>).type === "string") yield node as Node;
    for (const each of Object.values(node)) yield* nodesOf(each);
  }
}
