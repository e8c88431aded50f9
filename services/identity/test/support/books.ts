import { randomBytes } from "node:crypto";
import type { AuditEntry } from "@portcullis/contracts";
import type { Collection, Documents } from "@portcullis/documents";
import { createLogger, createVault, fixedKeys } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import { createAppend } from "../../src/audit/book.ts";
import { createHeads } from "../../src/audit/head.ts";
import { createMarks } from "../../src/audit/marks.ts";
import { createAudit } from "../../src/audit/queue.ts";
import { type AuditStore, openAuditStore } from "../../src/audit/store.ts";
import type { Socket } from "../../src/sockets/store.ts";

const masterKey = randomBytes(32);
export const log = createLogger({ service: "test", level: "error", destination: { write: () => undefined } });

/** One replica on these stores; every socket is there. */
export async function openBooks(
  documents: Documents,
  state: State,
  alter: (blocks: AuditStore["blocks"]) => AuditStore["blocks"] = (same) => same,
) {
  let nowMs = 1_795_000_000_000;
  const clock = () => nowMs;
  const opened = await openAuditStore(documents);
  const store = { ...opened, blocks: alter(opened.blocks) };
  const marks = createMarks(createVault(fixedKeys(masterKey, "identity")));
  const heads = createHeads({ state, store, marks, log });
  // Of a socket only that it is there is asked.
  const there = { id: "s", version: 1, body: {} as Socket };
  const sockets = { sockets: { get: async () => there } as unknown as Collection<Socket> };
  const append = createAppend({ store, sockets, heads, marks });
  return {
    store,
    marks,
    heads,
    append,
    clock,
    audit: createAudit({ append, clock, log, patienceMs: 300 }),
    advance(ms: number) {
      nowMs += ms;
    },
    entry: (cause: string): AuditEntry => ({ atMs: nowMs, event: "denied", cause }),
  };
}
export type Books = Awaited<ReturnType<typeof openBooks>>;

/** A write whose answer may get lost, or that does not come to anything. */
export function failing(
  blocks: AuditStore["blocks"],
  when: { before: () => boolean; after: () => boolean },
): AuditStore["blocks"] {
  return {
    ...boundOf(blocks),
    async insert(id, body) {
      if (when.before()) throw new Error("down");
      const inserted = await blocks.insert(id, body);
      if (when.after()) throw new Error("the answer is lost");
      return inserted;
    },
  };
}

function boundOf(blocks: AuditStore["blocks"]): AuditStore["blocks"] {
  return {
    insert: blocks.insert.bind(blocks),
    get: blocks.get.bind(blocks),
    find: blocks.find.bind(blocks),
    findOne: blocks.findOne.bind(blocks),
    count: blocks.count.bind(blocks),
    replace: blocks.replace.bind(blocks),
    delete: blocks.delete.bind(blocks),
  };
}
