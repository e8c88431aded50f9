import { gzipSync } from "node:zlib";
import type { OutputChunk } from "rolldown";
import { loadedWith } from "./bundle.ts";

/** As a server sends it that takes its time. */
export function gzipBytes(code: string): number {
  return gzipSync(code, { level: 9 }).length;
}

/** Of all that a page loads with an entry. */
export function entryBytes(entry: string, chunks: readonly OutputChunk[]): number {
  return loadedWith(entry, chunks).reduce((sum, { code }) => sum + gzipBytes(code), 0);
}

/** Of what a page loads besides, that has one entry and imports another. */
export function addedBytes(entry: string, to: string, chunks: readonly OutputChunk[]): number {
  const there = loadedWith(to, chunks);
  const added = loadedWith(entry, chunks).filter((chunk) => !there.includes(chunk));
  return added.reduce((sum, { code }) => sum + gzipBytes(code), 0);
}

/** What is in it, the heaviest first: gzip bytes of what each package gives, on its own and not minified, so that they say what to look at and not what they cost. */
export function reportOf(entry: string, chunks: readonly OutputChunk[]): string {
  const loaded = loadedWith(entry, chunks);
  const others = chunks.filter((chunk) => !loaded.includes(chunk));
  const entries = others.filter((chunk) => chunk.isEntry);
  const onDemand = others.filter((chunk) => !chunk.isEntry);
  const line = ({ fileName, code }: OutputChunk) => `${fileName} ${gzipBytes(code)} B`;
  return [
    `${entry} with all that it imports: ${entryBytes(entry, chunks)} B gzipped (${loaded.map(line).join(", ")})`,
    ...sharesOf(loaded).map(([name, bytes]) => `  ${name}: ${bytes} B of source, gzipped`),
    ...entries.map(({ fileName }) => `with ${fileName}: ${addedBytes(fileName, entry, chunks)} B more`),
    ...onDemand.map(
      (chunk) =>
        `on demand: ${line(chunk)} (${sharesOf([chunk])
          .map(([name]) => name)
          .join(", ")})`,
    ),
  ].join("\n");
}

function sharesOf(chunks: readonly OutputChunk[]): readonly (readonly [string, number])[] {
  const sources = new Map<string, string>();
  for (const [id, { code }] of chunks.flatMap(({ modules }) => Object.entries(modules))) {
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1] ?? /(libs\/[^/]+)/.exec(id)?.[1] ?? "rolldown";
    sources.set(name, (sources.get(name) ?? "") + (code ?? ""));
  }
  return [...sources]
    .filter(([, code]) => code !== "")
    .map(([name, code]) => [name, gzipBytes(code)] as const)
    .toSorted(([, a], [, b]) => b - a);
}
