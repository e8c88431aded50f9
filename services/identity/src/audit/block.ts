import { createHash } from "node:crypto";
import { type AuditEntry, auditEntry, auditTextMax } from "@portcullis/contracts";
import { z } from "zod";
import type { Entry } from "./audit.ts";

/** What stands for the hash of a block before the first. */
export const noHash = "0".repeat(64);

export const entriesPerBlockMax = 200;

/** Where a chain stands: number and hash of a block. */
export interface Place {
  readonly n: number;
  readonly hash: string;
}

export const beginning: Place = { n: 0, hash: noHash };

const blockText = z.strictObject({
  socket: z.string(),
  n: z.number().int().positive(),
  prev: z.string().regex(/^[0-9a-f]{64}$/),
  entries: z.array(auditEntry).min(1).max(entriesPerBlockMax),
});
export type BlockText = z.infer<typeof blockText>;

/** The text is what is hashed, stored and exported: nobody has to write JSON as somebody else does to follow the chain. */
export function blockBehind(before: Place, socket: string, entries: readonly AuditEntry[]): Place & { text: string } {
  const n = before.n + 1;
  const text = JSON.stringify({ socket, n, prev: before.hash, entries });
  return { n, text, hash: hashOf(text) };
}

export function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Null: it is no block's. */
export function readBlock(text: string): BlockText | null {
  try {
    const { success, data } = blockText.safeParse(JSON.parse(text));
    return success ? data : null;
  } catch {
    return null;
  }
}

const aboutMax = 16;

/** Bounded, whoever made it: a cause or a name of something is cut, and never a reason for no entry. */
export function stamped({ about, ...entry }: Entry, atMs: number): AuditEntry {
  const cut = <T>(value: T) => (typeof value === "string" ? value.slice(0, auditTextMax).toWellFormed() : value);
  const fields = Object.entries(entry).map(([name, value]) => [name, cut(value)]);
  const more = Object.entries(about ?? {}).slice(0, aboutMax);
  const shown = Object.fromEntries(more.map(([name, value]) => [name.slice(0, 32), cut(value)]));
  return auditEntry.parse({ atMs, ...Object.fromEntries(fields), ...(more.length === 0 ? {} : { about: shown }) });
}
