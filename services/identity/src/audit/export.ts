import type { Caller } from "@portcullis/bus";
import { ServiceError, signAudit } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";
import type { Place } from "./block.ts";
import { lastPlace } from "./book.ts";
import { problemAtEnd, problemOf } from "./chain.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { beginningOf } from "./retention.ts";
import { type AuditStore, blockId } from "./store.ts";

export interface ExportContext {
  readonly store: AuditStore;
  readonly marks: Marks;
  readonly heads: Pick<Heads, "of">;
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
 * @throws {ServiceError} conflict: one of them is not ours, or is missing. Nothing is signed that `identity` did not write: it may well have gone on from what
 * somebody else put there, so each block is looked at, and not the last one alone. `verify` says what is wrong
 */
export async function exportPage(
  context: ExportContext,
  socketId: string,
  { after, range }: { readonly after: number | null; readonly range: Range | null },
): Promise<{ lines: string[]; range: Range; next: number | null }> {
  const { store, marks } = context;
  const whole = range ?? (await rangeOf(context, socketId));
  let place = await placeAt(context, socketId, Math.max(after ?? 0, whole.first - 1));
  const page = await store.blocks.find({ socketId }, { after: blockId(socketId, place.n), limit: pageMax });
  const lines: string[] = [];
  let bytes = 0;
  for (const block of page) {
    const { n, hash, text } = block.body;
    bytes += Buffer.byteLength(text);
    if (n > whole.last || (lines.length > 0 && bytes > pageBytesMax)) break;
    if (problemOf(block, socketId, place, marks) !== null) throw unsound();
    lines.push(lineOf(block.body));
    place = { n, hash };
  }
  if (place.n < whole.last && lines.length > 0) return { lines, range: whole, next: place.n };
  if (place.n < whole.last) throw unsound();
  return { lines: [...lines, await statement(context, socketId, whole)], range: whole, next: null };
}

/** JSON in which the block's own text stands as it is: what is hashed is what is between `"block":` and the last brace. */
function lineOf({ hash, text }: { readonly hash: string; readonly text: string }): string {
  return `{"hash":"${hash}","block":${text}}`;
}

async function rangeOf(context: ExportContext, socketId: string): Promise<Range> {
  const { store, heads } = context;
  const known = await heads.of(socketId);
  const begins = await beginningOf(context, socketId);
  if (begins === null) throw unsound();
  const last = (await lastPlace(store, socketId)) ?? begins;
  if ((await problemAtEnd(store, socketId, known, { begins, last })) !== null) throw unsound();
  return { first: begins.n + 1, last: last.n };
}

/** Behind which a page begins. */
async function placeAt(context: ExportContext, socketId: string, n: number): Promise<Place> {
  const begins = await beginningOf(context, socketId);
  if (begins?.n === n) return begins;
  const hash = (await context.store.blocks.get(blockId(socketId, n)))?.body.hash;
  if (hash === undefined) throw unsound();
  return { n, hash };
}

async function statement({ store, marks, caller, clock }: ExportContext, socketId: string, range: Range) {
  const last = (await store.blocks.get(blockId(socketId, range.last)))?.body;
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
