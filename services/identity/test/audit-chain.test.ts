import { randomBytes } from "node:crypto";
import type { Documents } from "@portcullis/documents";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openMongoDocuments } from "@portcullis/documents/mongodb";
import { openEmbeddedState } from "@portcullis/state/embedded";
import fc from "fast-check";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashOf, readBlock } from "../src/audit/block.ts";
import { changeBook, keepDays, prune } from "../src/audit/retention.ts";
import { type Block, blockId } from "../src/audit/store.ts";
import { verifyBook } from "../src/audit/verify.ts";
import { type Books, failing, openBooks } from "./support/books.ts";

const clock = () => 1_795_000_000_000;
const freshSocket = () => `socket-${randomBytes(6).toString("hex")}`;
const state = openEmbeddedState({ file: ":memory:", clock });
afterAll(() => state.close());

async function blocksOf({ store }: Pick<Books, "store">, socketId: string) {
  return (await store.blocks.find({ socketId }, { limit: 1000 })).map(({ body }) => body);
}
async function causesIn(books: Pick<Books, "store">, socketId: string) {
  const blocks = await blocksOf(books, socketId);
  return blocks.flatMap(({ text }) => (readBlock(text)?.entries ?? []).map(({ cause }) => cause));
}
/** As whoever can write to the documents. */
async function put({ store }: Books, socketId: string, n: number, change: (block: Block) => Block) {
  const found = await store.blocks.get(blockId(socketId, n));
  if (found === null) throw new Error("no such block");
  await store.blocks.replace(found.id, found.version, change(found.body));
}

const url = process.env.MONGODB_URL;
const engines: { name: string; skip?: boolean; open: () => Promise<Documents> }[] = [
  { name: "embedded", open: async () => openEmbeddedDocuments({ file: ":memory:", clock }) },
  {
    name: url ? "mongodb" : "mongodb (skipped: no MONGODB_URL)",
    skip: !url,
    open: () => openMongoDocuments({ url: url ?? "", clock }),
  },
];

for (const { name, skip = false, open } of engines) {
  describe.skipIf(skip)(`two replicas of a book on ${name}`, () => {
    let documents: Documents;
    beforeEach(async () => {
      documents = await open();
    });
    afterEach(() => documents.close());

    it("lose nothing of what both append at once, and write one chain", async () => {
      const [one, two] = [await openBooks(documents, state), await openBooks(documents, state)];
      const socketId = freshSocket();
      const causes = Array.from({ length: 60 }, (_, index) => `cause-${index}`);
      await Promise.all(
        causes.map(async (cause, index) => {
          // Not all in one moment, which would be one block for each.
          await new Promise((resolve) => setTimeout(resolve, index % 7));
          await (index % 2 === 0 ? one : two).audit.require(socketId, { event: "denied", cause });
        }),
      );
      expect((await causesIn(one, socketId)).sort()).toEqual(causes.toSorted());
      const blocks = await blocksOf(one, socketId);
      expect(blocks.length).toBeGreaterThan(2);
      expect(await verifyBook(one, socketId, null)).toMatchObject({
        problem: null,
        blocks: blocks.length,
        end: "known",
      });
    });

    it("write once what they do not know to be written", async () => {
      let writes = 0;
      const books = await openBooks(documents, state, (blocks) =>
        failing(blocks, {
          before: () => false,
          after: () => {
            writes += 1;
            return writes === 1;
          },
        }),
      );
      const socketId = freshSocket();
      await books.audit.require(socketId, { event: "denied", cause: "first" });
      await books.audit.require(socketId, { event: "denied", cause: "second" });
      expect(await causesIn(books, socketId)).toEqual(["first", "second"]);
      expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, blocks: 2 });
    });
  });
}

describe("a book", () => {
  let documents: Documents;
  let books: Books;
  let socketId: string;
  beforeEach(async () => {
    documents = openEmbeddedDocuments({ file: ":memory:", clock });
    books = await openBooks(documents, state);
    socketId = freshSocket();
  });
  afterEach(() => documents.close());
  const write = async (...causes: string[]) => {
    for (const cause of causes) await books.append(socketId, [books.entry(cause), books.entry(`${cause}!`)]);
  };
  const problem = async () => (await verifyBook(books, socketId, null)).problem;

  it("verifies in parts as in one", async () => {
    await write("a", "b", "c", "d", "e");
    const first = await verifyBook(books, socketId, null, 2);
    expect(first).toMatchObject({ blocks: 2, from: 1, to: 2, next: 2, problem: null });
    const second = await verifyBook(books, socketId, first.next, 3);
    expect(second).toMatchObject({ blocks: 3, from: 3, to: 5, problem: null });
  });

  it("shows any change, removal, exchange or insertion, also to whoever computes all hashes anew", async () => {
    const action = fc.oneof(
      fc.record({ do: fc.constant("change" as const), n: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant("remove" as const), n: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant("drop-entry" as const), n: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant("swap-entries" as const), n: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant("repeat-entry" as const), n: fc.integer({ min: 1, max: 5 }) }),
      fc.record({ do: fc.constant("swap" as const), n: fc.integer({ min: 1, max: 4 }) }),
    );
    await fc.assert(
      fc.asyncProperty(action, fc.boolean(), async (tampering, anew) => {
        socketId = freshSocket();
        await write("a", "b", "c", "d", "e");
        expect(await problem()).toBeNull();
        await tamper(tampering.do, tampering.n);
        if (anew) {
          await hashAnew();
          // What is missing at the end shows there alone; everything else without it.
          if (tampering.do !== "remove" || tampering.n < 5) await books.heads.forget(socketId);
        }
        expect(await problem()).not.toBeNull();
      }),
      { numRuns: 60 },
    );
  });

  async function tamper(how: string, n: number): Promise<void> {
    const entries = (change: (all: unknown[]) => unknown[]) =>
      put(books, socketId, n, (block) => {
        const parsed = JSON.parse(block.text);
        return { ...block, text: JSON.stringify({ ...parsed, entries: change(parsed.entries) }) };
      });
    if (how === "remove") await books.store.blocks.delete(blockId(socketId, n));
    else if (how === "change")
      await put(books, socketId, n, (block) => ({ ...block, text: block.text.replace("denied", "held") }));
    else if (how === "drop-entry") await entries((all) => all.slice(1));
    else if (how === "swap-entries") await entries((all) => all.toReversed());
    else if (how === "repeat-entry") await entries((all) => [...all, all[0]]);
    else {
      const [one, two] = (await blocksOf(books, socketId)).slice(n - 1, n + 1);
      if (one === undefined || two === undefined) throw new Error("no such blocks");
      await put(books, socketId, n, ({ n }) => ({ ...two, n }));
      await put(books, socketId, n + 1, ({ n }) => ({ ...one, n }));
    }
  }

  /** Numbers and hashes fit together again; the MACs are what they were. */
  async function hashAnew(): Promise<void> {
    let prev = "0".repeat(64);
    const blocks = await blocksOf(books, socketId);
    for (const { n } of blocks) await books.store.blocks.delete(blockId(socketId, n));
    for (const [index, block] of blocks.entries()) {
      const n = index + 1;
      const text = JSON.stringify({ ...JSON.parse(block.text), n, prev });
      prev = hashOf(text);
      await books.store.blocks.insert(blockId(socketId, n), { ...block, n, text, hash: prev });
    }
  }

  it("shows that its end was cut off, and goes on showing it when more is written behind that", async () => {
    await write("a", "b", "c");
    await books.store.blocks.delete(blockId(socketId, 3));
    expect(await problem()).toEqual({ n: 3, what: "end-missing" });
    // Another replica, which does not remember the end.
    const other = await openBooks(documents, state);
    await other.append(socketId, [other.entry("d")]);
    expect(await problem()).toEqual({ n: 3, what: "missing" });
    await other.append(socketId, [other.entry("e")]);
    expect(await problem()).toEqual({ n: 3, what: "missing" });
  });

  it("shows that all of it was removed", async () => {
    await write("a", "b");
    for (const n of [1, 2]) await books.store.blocks.delete(blockId(socketId, n));
    expect(await problem()).toEqual({ n: 1, what: "end-missing" });
  });

  it("does not take a lost state for tampering, and knows its end again from the next block on", async () => {
    await write("a", "b");
    await books.heads.forget(socketId);
    expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, end: null });
    await write("c");
    expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, end: "known" });
  });

  it("does not take it for tampering that a replica went between block and state", async () => {
    await write("a");
    const behind = await state.get(`identity:audit-head:${socketId}`);
    await write("b", "c");
    const now = await state.get(`identity:audit-head:${socketId}`);
    if (behind === null || now === null) throw new Error("no head");
    await state.replace(`identity:audit-head:${socketId}`, now.version, behind.value, 1_000_000);
    expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, end: "known" });
    await write("d");
    await books.store.blocks.delete(blockId(socketId, 4));
    expect(await problem()).toEqual({ n: 4, what: "end-missing" });
  });

  it("does not believe a state that is not ours", async () => {
    await write("a", "b");
    const key = `identity:audit-head:${socketId}`;
    const found = await state.get(key);
    const [first] = await blocksOf(books, socketId);
    if (found === null || first === undefined) throw new Error("no head");
    await books.store.blocks.delete(blockId(socketId, 2));
    const forged = { n: 1, hash: first.hash, mac: first.mac };
    await state.replace(key, found.version, Buffer.from(JSON.stringify(forged)), 1_000_000);
    expect(await problem()).toMatchObject({ what: "end-differs" });
  });

  it("loses whole blocks from the front when they are too old, and verifies from there", async () => {
    await write("a", "b");
    books.advance(10 * 86_400_000);
    await write("c", "d");
    await keepDays(books, socketId, 7);
    expect(await prune(books, socketId)).toBe(2);
    expect(await causesIn(books, socketId)).toEqual(["c", "c!", "d", "d!"]);
    expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, from: 3, to: 4, end: "known" });
    // The last one stays, whatever its age: the next has something to go on from.
    books.advance(400 * 86_400_000);
    expect(await prune(books, socketId)).toBe(1);
    expect(await prune(books, socketId)).toBe(0);
    await write("e");
    expect(await verifyBook(books, socketId, null)).toMatchObject({ problem: null, from: 4, to: 5, end: "known" });
  });

  it("goes on removing where that stopped half-way, and counts nothing that was to go", async () => {
    await write("a", "b", "c");
    books.advance(400 * 86_400_000);
    await write("d");
    await prune(books, socketId);
    const [, anchor] = [await blocksOf(books, socketId), (await books.store.books.get(socketId))?.body.anchor];
    expect(anchor).toMatchObject({ n: 3 });
    // As if the process had gone before the last of them.
    const text = "{}";
    await books.store.blocks.insert(blockId(socketId, 3), {
      socketId,
      n: 3,
      text,
      hash: hashOf(text),
      mac: "",
    });
    expect(await problem()).toBeNull();
    await write("e");
    await prune(books, socketId);
    expect((await blocksOf(books, socketId)).map(({ n }) => n)).toEqual([4, 5]);
  });

  it("shows that more was removed from the front than was to go, and that its beginning was moved", async () => {
    await write("a", "b", "c");
    await books.store.blocks.delete(blockId(socketId, 1));
    expect(await problem()).toEqual({ n: 1, what: "missing" });
    const two = await books.store.blocks.get(blockId(socketId, 1 + 1));
    if (two === null) throw new Error("gone");
    const { n, hash, mac } = two.body;
    await changeBook(books.store, socketId, (book) => ({ ...book, anchor: { n, hash, mac } }));
    expect(await problem()).toEqual({ n: 0, what: "beginning" });
  });

  it("says which block is not even shaped like one", async () => {
    await write("a", "b", "c");
    await put(books, socketId, 2, (block) => ({ ...block, text: "no JSON", hash: hashOf("no JSON") }));
    expect(await problem()).toEqual({ n: 2, what: "not-in-order" });
  });
});

describe("while the store stands still", () => {
  let documents: Documents;
  let isDown = true;
  beforeEach(() => {
    isDown = true;
    documents = openEmbeddedDocuments({ file: ":memory:", clock });
  });
  afterEach(() => documents.close());
  const open = () =>
    openBooks(documents, state, (blocks) => failing(blocks, { before: () => isDown, after: () => false }));

  it("nothing happens that must be recorded, and it is not recorded later as if it had", async () => {
    const { audit, ...books } = await open();
    const socketId = freshSocket();
    void audit.note(socketId, { event: "denied", cause: "in the hand" });
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(audit.require(socketId, { event: "accepted" })).rejects.toMatchObject({ code: "unavailable" });
    isDown = false;
    // What is in the hand is tried again in a moment.
    await audit.flush();
    await audit.require(socketId, { event: "resumed" });
    const blocks = await blocksOf(books, socketId);
    expect(blocks.flatMap(({ text }) => readBlock(text)?.entries.map(({ event }) => event))).toEqual([
      "denied",
      "resumed",
    ]);
  });

  it("those who need not wait are not kept, what they say is written later, and there is an end to how much", async () => {
    const { audit, ...books } = await open();
    const socketId = freshSocket();
    const noted = Array.from({ length: 2_500 }, () => audit.note(socketId, { event: "denied", cause: "attempts" }));
    await Promise.all(noted);
    isDown = false;
    await audit.flush();
    await audit.require(socketId, { event: "resumed" });
    const count = (await causesIn(books, socketId)).filter((cause) => cause === "attempts").length;
    expect(count).toBeGreaterThanOrEqual(2_000);
    expect(count).toBeLessThan(2_500);
  });
});
