import { setTimeout as sleep } from "node:timers/promises";
import { metrics } from "@opentelemetry/api";
import { type AuditEntry, ServiceError } from "@portcullis/contracts";
import type { Clock, Logger } from "@portcullis/runtime";
import type { Audit, Entry } from "./audit.ts";
import { entriesPerBlockMax, stamped } from "./block.ts";

/** @returns false: there is no such socket */
type Append = (socketId: string, entries: readonly AuditEntry[]) => Promise<boolean>;

export interface AuditOptions {
  readonly append: Append;
  readonly clock: Clock;
  readonly log: Pick<Logger, "warn" | "error">;
  /** Default 2000, less than anybody waits for a step; for tests. */
  readonly patienceMs?: number;
}

export interface QueuedAudit extends Audit {
  /** Writes what is there, as long as that is possible. Whatever comes later is written all the same while there is a store. */
  flush(): Promise<void>;
}

/** For all sockets together, and for one: what a store that stands still costs us at most. */
const waitingMax = 20_000;
const waitingPerSocketMax = 2_000;
const flushMsMax = 2_000;
/** Less than anybody is patient: once the store is back nobody is refused for it any more. */
const retryMs = { first: 100, max: 1_000 } as const;

interface Waiting {
  readonly entry: AuditEntry;
  readonly written: PromiseWithResolvers<boolean>;
}

/**
 * One queue for each socket: while a block is written, what comes gathers for the next, so that a thousand who are let in at once cost a few blocks.
 *
 * Where the store stands still, whoever is to be let in waits for a moment and is then refused: a server that lets people in without anybody being able to
 * say so later would be what somebody wants who can hold up the store. Those who are refused anyway are not worth a standstill: beyond the bounds their
 * entries are dropped, counted and logged.
 */
export function createAudit({ append, clock, log, patienceMs = 2_000 }: AuditOptions): QueuedAudit {
  const queues = new Map<string, Waiting[]>();
  const writing = new Map<string, Promise<void>>();
  let waiting = 0;
  const dropped = metrics.getMeter("portcullis.identity").createCounter("portcullis.audit.dropped", {
    description: "Entries that are in no book because the store stood still",
  });

  function drop(socketId: string, count: number): void {
    dropped.add(count);
    log.error("entries are missing in the book of a socket", { socket: socketId, count });
  }

  function put(socketId: string, entry: Entry): Waiting | null {
    const queue = queues.get(socketId) ?? [];
    if (waiting >= waitingMax || queue.length >= waitingPerSocketMax) {
      drop(socketId, 1);
      return null;
    }
    const one = { entry: stamped(entry, clock()), written: Promise.withResolvers<boolean>() };
    queue.push(one);
    waiting += 1;
    queues.set(socketId, queue);
    if (!writing.has(socketId)) writing.set(socketId, write(socketId));
    return one;
  }

  async function write(socketId: string): Promise<void> {
    // What is said in the same moment goes together.
    await Promise.resolve();
    for (;;) {
      const queue = queues.get(socketId) ?? [];
      const batch = queue.splice(0, entriesPerBlockMax);
      if (batch.length === 0) break;
      const isWritten = await persist(
        socketId,
        batch.map(({ entry }) => entry),
      );
      waiting -= batch.length;
      for (const { written } of batch) written.resolve(isWritten);
    }
    queues.delete(socketId);
    writing.delete(socketId);
  }

  /** The very same entries until they are in: it may be that they are, and only the answer was lost. */
  async function persist(socketId: string, entries: readonly AuditEntry[]): Promise<boolean> {
    for (let waitMs: number = retryMs.first; ; waitMs = Math.min(retryMs.max, 2 * waitMs)) {
      try {
        return await append(socketId, entries);
      } catch (error) {
        log.warn("the book of a socket cannot be written at the moment", { socket: socketId }, error);
        await sleep(waitMs, undefined, { ref: false });
      }
    }
  }

  /** @returns null: not yet */
  function within(one: Waiting, ms: number): Promise<boolean | null> {
    const over = new AbortController();
    const patience = sleep(ms, null, { ref: false, signal: over.signal }).catch(() => null);
    return Promise.race([one.written.promise, patience]).finally(() => over.abort());
  }

  return {
    async note(socketId, entry) {
      const one = put(socketId, entry);
      if (one !== null) await within(one, patienceMs);
    },
    async require(socketId, entry) {
      const one = put(socketId, entry);
      if (one !== null && (await within(one, patienceMs)) === true) return;
      if (one !== null) withdraw(socketId, one);
      throw new ServiceError("unavailable");
    },
    async flush() {
      const all = Promise.all(writing.values());
      await Promise.race([all, sleep(flushMsMax, undefined, { ref: false })]);
      for (const [socketId, queue] of queues) if (queue.length > 0) drop(socketId, queue.length);
    },
  };

  /** What did not happen is not recorded, unless it is being written in this moment: then the book has an accept that came to nothing. */
  function withdraw(socketId: string, one: Waiting): void {
    const queue = queues.get(socketId) ?? [];
    const index = queue.indexOf(one);
    if (index < 0) return;
    queue.splice(index, 1);
    waiting -= 1;
  }
}
