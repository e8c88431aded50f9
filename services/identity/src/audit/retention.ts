import { auditDays } from "@portcullis/contracts";
import { DuplicateError } from "@portcullis/documents";
import type { Clock, Logger } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { SocketStore } from "../sockets/store.ts";
import { beginning, noHash, type Place, readBlock } from "./block.ts";
import { problemOf } from "./chain.ts";
import type { Heads } from "./head.ts";
import type { Marks } from "./marks.ts";
import { type AuditStore, type Book, blockId, emptyBook } from "./store.ts";

const dayMs = 86_400_000;
/** Of one book at a time: the rest goes the next time. */
const removedMax = 500;
const everyMs = 3_600_000;

export interface RetentionContext {
  readonly store: AuditStore;
  readonly marks: Marks;
  readonly clock: Clock;
}

/** Behind which block a book begins: what was before it was removed in its time. Null: the document says so, and not we. */
export async function beginningOf(
  { store, marks }: Pick<RetentionContext, "store" | "marks">,
  socketId: string,
): Promise<Place | null> {
  const anchor = (await store.books.get(socketId))?.body.anchor ?? null;
  if (anchor === null) return beginning;
  const { mac, ...place } = anchor;
  return marks.isOurs("anchor", socketId, place, mac) ? place : null;
}

type Terms = Pick<RetentionContext, "store" | "marks">;

/** What is not ours is no reason to remove anything: as long as can be, then. */
export async function keptDays({ store, marks }: Terms, socketId: string): Promise<number> {
  const kept = (await store.books.get(socketId))?.body.kept ?? null;
  if (kept === null) return auditDays.default;
  return marks.isOurs("days", socketId, termOf(kept.days), kept.mac) ? kept.days : auditDays.max;
}

export async function keepDays({ store, marks }: Terms, socketId: string, days: number): Promise<void> {
  const mac = marks.of("days", socketId, termOf(days));
  await changeBook(store, socketId, (book) => ({ ...book, kept: { days, mac } }));
}

const termOf = (days: number): Place => ({ n: days, hash: noHash });

export async function changeBook(
  { books }: Pick<AuditStore, "books">,
  socketId: string,
  change: (book: Book) => Book,
): Promise<void> {
  for (let tries = 0; tries < 5; tries += 1) {
    const found = await books.get(socketId);
    try {
      if (found === null) {
        await books.insert(socketId, change(emptyBook));
        return;
      }
      if ((await books.replace(socketId, found.version, change(found.body))) !== null) return;
    } catch (error) {
      if (!(error instanceof DuplicateError)) throw error;
    }
  }
  throw new Error("the terms of a book are being fought over");
}

/**
 * Removes whole blocks from the front, once the last entry in them is older than is kept. First it is said from where the rest begins: where this stops
 * half-way, what is in front of that counts no more, and goes the next time. The last block always stays, so that the next one has something to go on from.
 * So does everything from the first that is not as it was written: `identity` must not be the one who removes the trace, by a time that somebody else has set.
 *
 * @returns how many went
 */
export async function prune(context: RetentionContext, socketId: string): Promise<number> {
  const { store, marks, clock } = context;
  const begins = await beginningOf(context, socketId);
  if (begins === null) return 0;
  const oldestMs = clock() - (await keptDays(context, socketId)) * dayMs;
  const front = await store.blocks.find({ socketId }, { limit: removedMax + 1 });
  const gone: string[] = [];
  let place = begins;
  for (const block of front.slice(0, -1)) {
    if (block.id > blockId(socketId, begins.n)) {
      if (problemOf(block, socketId, place, marks) !== null || lastAtMs(block.body.text) >= oldestMs) break;
      place = { n: block.body.n, hash: block.body.hash };
    }
    gone.push(block.id);
  }
  if (place.n > begins.n) {
    const anchor = { ...place, mac: marks.of("anchor", socketId, place) };
    await changeBook(store, socketId, (book) =>
      book.anchor !== null && book.anchor.n >= place.n ? book : { ...book, anchor },
    );
  }
  for (const id of gone) await store.blocks.delete(id);
  return gone.length;
}

/** When the last thing in a block happened. */
function lastAtMs(text: string): number {
  const entries = readBlock(text)?.entries ?? [];
  return entries.reduce((last, { atMs }) => Math.max(last, atMs), 0);
}

/** All of a socket that is gone. */
export async function forgetBook(
  { store, heads }: { readonly store: AuditStore; readonly heads: Pick<Heads, "forget"> },
  socketId: string,
): Promise<void> {
  for (;;) {
    const blocks = await store.blocks.find({ socketId }, { limit: 1000 });
    if (blocks.length === 0) break;
    for (const { id } of blocks) await store.blocks.delete(id);
  }
  await store.books.delete(socketId);
  await heads.forget(socketId);
}

/** Goes through all sockets now and then, one at a time. Of several replicas one does it. */
export function startPruning(
  context: RetentionContext & {
    readonly sockets: Pick<SocketStore, "sockets">;
    readonly state: Pick<State, "create">;
    readonly log: Pick<Logger, "info" | "warn">;
  },
): { stop(): Promise<void> } {
  const { sockets, state, log } = context;
  let stopped = false;
  let running = Promise.resolve();

  async function round(): Promise<void> {
    if ((await state.create("identity:audit-pruning", Uint8Array.of(1), everyMs - 60_000)) === null) return;
    let after: string | null = null;
    let removed = 0;
    for (;;) {
      const page: Awaited<ReturnType<typeof sockets.sockets.find>> = await sockets.sockets.find({}, { after });
      for (const { id } of page) {
        if (stopped) return;
        removed += await prune(context, id).catch((error: unknown) => {
          // One book that was tampered with keeps no other from its end.
          log.warn("old blocks of a socket could not be removed", { socket: id }, error);
          return 0;
        });
      }
      after = page.at(-1)?.id ?? null;
      if (after === null) break;
    }
    if (removed > 0) log.info("blocks older than their sockets keep them were removed", { removed });
  }

  const timer = setInterval(() => {
    running = running.then(round).catch((error: unknown) => log.warn("old blocks could not be removed", {}, error));
  }, everyMs);
  timer.unref();
  return {
    /** Resolves when nothing is removed any more: the store may be closed then. */
    async stop() {
      stopped = true;
      clearInterval(timer);
      await running;
    },
  };
}
