/** What is written by `npm run docs` stands between two marks, in a document that people write. */

/** @throws when the marks are not there */
export function markedPart(
  document: string,
  name: string,
): { readonly before: string; readonly part: string; readonly after: string } {
  const [first, last] = [`<!-- ${name}: written by npm run docs -->`, `<!-- /${name} -->`];
  const begin = document.indexOf(first);
  const end = document.indexOf(last);
  if (begin < 0 || end < begin) throw new Error(`the marks ${first} and ${last} are missing`);
  const from = begin + first.length;
  return { before: document.slice(0, from), part: document.slice(from, end).trim(), after: document.slice(end) };
}

export function cell(text: string): string {
  const safe = text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
  return safe.charAt(0).toUpperCase() + safe.slice(1);
}

export function table(head: readonly string[], body: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...body].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
