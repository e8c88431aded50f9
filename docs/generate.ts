/**
 * Writes into documents what the code knows better.
 *
 *     npm run docs
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderSettings } from "./generate-settings.ts";
import { renderTexts } from "./generate-texts.ts";
import { markedPart } from "./marked-part.ts";

const settings = Object.entries(renderSettings()).map(([path, text]) => ({ path, name: "settings", text }));

for (const { path, name, text } of [
  ...settings,
  { path: "docs/gate-element.md", name: "texts", text: renderTexts() },
]) {
  const file = join(import.meta.dirname, "..", path);
  const { before, after } = markedPart(readFileSync(file, "utf8"), name);
  writeFileSync(file, `${before}\n\n${text}\n\n${after}`);
  process.stdout.write(`${path}: ${name} written\n`);
}
