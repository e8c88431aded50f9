import type { Caller } from "@portcullis/bus";
import { ServiceError, signAudit } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import { lastPlace } from "./book.ts";
import type { Marks } from "./marks.ts";
import { beginningOf } from "./retention.ts";
import { type AuditStore, blockId } from "./store.ts";

export interface ExportContext {
  readonly store: AuditStore;
  readonly marks: Marks;
  readonly caller: Pick<Caller, "call">;
  readonly clock: Clock;
}

interface Range {
  readonly first: number;
  readonly last: number;
}

/** A bus message has to hold it. */
const pageBytesMax = 600_000;
const pageMax = 50;

/**
 * The blocks as they are stored, a line each, and behind the last one what the server says of them. Where it ends is settled at the start, so that it has an end
 * while others write on.
 *
 * @throws {ServiceError} conflict: the end is not ours, or blocks are missing. Nothing is signed that `identity` did not write; `verify` says what is wrong
 */
export async function exportPage(
  context: ExportContext,
  socketId: string,
  { after, range }: { readonly after: number | null; readonly range: Range | null },
): Promise<{ lines: string[]; range: Range; next: number | null }> {
  const { store } = context;
  const whole = range ?? (await rangeOf(context, socketId));
  const from = Math.max(after ?? 0, whole.first - 1);
  const page = await store.blocks.find({ socketId }, { after: blockId(socketId, from), limit: pageMax });
  const lines: string[] = [];
  let bytes = 0;
  let at = from;
  for (const { body } of page) {
    bytes += Buffer.byteLength(body.text);
    if (body.n > whole.last || (lines.length > 0 && bytes > pageBytesMax)) break;
    lines.push(lineOf(body));
    at = body.n;
  }
  if (at < whole.last && lines.length > 0) return { lines, range: whole, next: at };
  if (at < whole.last) throw unsound();
  return { lines: [...lines, await statement(context, socketId, whole)], range: whole, next: null };
}

/** JSON in which the block's own text stands as it is: what is hashed is what is between `"block":` and the last brace. */
function lineOf({ hash, text }: { readonly hash: string; readonly text: string }): string {
  return `{"hash":"${hash}","block":${text}}`;
}

async function rangeOf(context: ExportContext, socketId: string): Promise<Range> {
  const begins = await beginningOf(context, socketId);
  if (begins === null) throw unsound();
  const last = (await lastPlace(context.store, socketId)) ?? begins;
  return { first: begins.n + 1, last: last.n };
}

async function statement({ store, marks, caller, clock }: ExportContext, socketId: string, range: Range) {
  const last = (await store.blocks.get(blockId(socketId, range.last)))?.body;
  // The MAC of the last one is that of all: each has the hash of the one before in it.
  if (last === undefined || !marks.isOurs("block", socketId, { n: last.n, hash: last.hash }, last.mac)) throw unsound();
  const said = { socket: socketId, ...range, hash: last.hash, atMs: clock() };
  const { key, sig } = await caller.call(signAudit, said);
  return JSON.stringify({ statement: said, key: toText(key), sig: toText(sig) });
}

function unsound(): ServiceError {
  return new ServiceError("conflict", {
    issues: [{ path: "audit", message: "does not verify: see what verify says" }],
  });
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
