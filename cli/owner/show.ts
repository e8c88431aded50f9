import { renderUnicodeCompact } from "uqr";
import { harmless } from "../harmless.ts";
import type { Json } from "./api.ts";

export const shownOnce = "It is shown this once: keep it where nobody else looks.";
/** In its place, of a canary. */
export const planted = "Plant it where nobody should find it. It is shown this once.";

/** One thing, a line for each of its fields. */
export function record(value: Json): string {
  const entries = Object.entries(value).filter(([, field]) => field !== null);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries.map(([name, field]) => `${name.padEnd(width)}  ${textOf(field)}`).join("\n");
}

/** The list of that name in an answer. */
export function rows(answer: Json, name: string): Json[] {
  return Array.isArray(answer[name]) ? (answer[name] as Json[]) : [];
}

/** Many things, a line for each. @param none what is said where there are none */
export function table(rows: readonly Json[], columns: readonly string[], none: string): string {
  if (rows.length === 0) return none;
  const cells = [columns, ...rows.map((row) => columns.map((column) => textOf(row[column])))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => [...(line[index] ?? "")].length)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** For a phone's camera, off the screen. */
function qrCode(text: string): string {
  return renderUnicodeCompact(text, { border: 2 });
}

/** An authenticator that was enrolled. */
export function authenticator({ uri }: Json): string {
  return `${qrCode(String(uri))}\nTo be scanned by a phone. ${shownOnce}\n${String(uri)}`;
}

/** Where there is nothing to show. */
export function done(text: string): () => string {
  return () => text;
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.length === 0 ? "-" : value.map(textOf).join(", ");
  return harmless(typeof value === "object" ? JSON.stringify(value) : String(value));
}
