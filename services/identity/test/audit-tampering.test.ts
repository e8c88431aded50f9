import type { Documents } from "@portcullis/documents";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openEmbeddedState } from "@portcullis/state/embedded";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { blockBehind, hashOf, type Place, readBlock } from "../src/audit/block.ts";
import { exportPage } from "../src/audit/export.ts";
import { readEntries } from "../src/audit/read.ts";
import { prune } from "../src/audit/retention.ts";
import { type Block, blockId } from "../src/audit/store.ts";
import { verifyBook } from "../src/audit/verify.ts";
import { type Books, openBooks } from "./support/books.ts";

/** Whoever can write to the documents, and has neither the master key nor the state port. They may have all the time that they need. */
const socketId = "socket-of-somebody";
const clock = () => 1_795_000_000_000;
const dayMs = 86_400_000;
let documents: Documents;
let state: ReturnType<typeof openEmbeddedState>;
let books: Books;
beforeEach(async () => {
  documents = openEmbeddedDocuments({ file: ":memory:", clock });
  state = openEmbeddedState({ file: ":memory:", clock });
  books = await openBooks(documents, state);
});
afterEach(async () => {
  await documents.close();
  await state.close();
});

/** Each by another replica, which remembers nothing: a process can be brought to begin anew. */
async function write(...causes: string[]): Promise<void> {
  for (const cause of causes) await (await openBooks(documents, state)).append(socketId, [books.entry(cause)]);
}
const problem = async () => (await verifyBook(books, socketId, null)).problem;
const causes = async (order: "newest" | "oldest" = "oldest") =>
  (await readEntries(books, socketId, { after: null, limit: 200, order, event: null })).entries.map(
    ({ cause }) => cause,
  );
async function block(n: number): Promise<Block> {
  const found = await books.store.blocks.get(blockId(socketId, n));
  if (found === null) throw new Error("no such block");
  return found.body;
}
const remove = (...numbers: number[]) =>
  Promise.all(numbers.map((n) => books.store.blocks.delete(blockId(socketId, n))));
async function change(n: number, to: (block: Block) => Block): Promise<void> {
  const found = await books.store.blocks.get(blockId(socketId, n));
  if (found === null) throw new Error("no such block");
  await books.store.blocks.replace(found.id, found.version, to(found.body));
}
/** As good as it gets without the master key. */
function forged(before: Place, cause: string): Block {
  const { n, text, hash } = blockBehind(before, socketId, [books.entry(cause)]);
  return { socketId, n, text, hash, mac: "00".repeat(32) };
}
async function exported(): Promise<string> {
  const caller = { call: async () => ({ key: new Uint8Array(32), sig: new Uint8Array(64) }) } as unknown as Parameters<
    typeof exportPage
  >[0]["caller"];
  const { lines } = await exportPage({ ...books, caller }, socketId, { after: null, range: null });
  return lines.join("\n");
}

describe("what is cut off the end of a book", () => {
  it("cannot be put back in the place of what happened meanwhile", async () => {
    await write("before", "also before");
    const saved = await block(2);
    await remove(2);
    await write("the break-in", "and more of it");
    const behind = (await books.store.blocks.find({ socketId }, { limit: 100 })).filter(({ body }) => body.n >= 2);
    for (const { id } of behind) await books.store.blocks.delete(id);
    await books.store.blocks.insert(blockId(socketId, 2), saved);
    expect(await problem()).not.toBeNull();
  });

  it("is there again with all that was written meanwhile, where it is put back", async () => {
    await write("before", "also before");
    const saved = await block(2);
    await remove(2);
    await write("the break-in");
    expect(await problem()).toEqual({ n: 2, what: "missing" });
    await books.store.blocks.insert(blockId(socketId, 2), saved);
    expect(await problem()).toBeNull();
    expect(await causes()).toEqual(["before", "also before", "the break-in"]);
  });

  it("cannot be exchanged for something until what happened meanwhile is forgotten", async () => {
    await write("before", "also before");
    const saved = await block(2);
    await change(2, () => forged({ n: 1, hash: readBlock(saved.text)?.prev ?? "" }, "nothing"));
    await write("the break-in");
    for (const { id, body } of await books.store.blocks.find({ socketId }, { limit: 100 }))
      if (body.n > 2) await books.store.blocks.delete(id);
    await change(2, () => saved);
    expect(await problem()).not.toBeNull();
  });

  it("is not to be had by blocks that are put behind it either", async () => {
    await write("before", "also before");
    const saved = await block(2);
    const [three, four] = [forged({ n: 2, hash: "aa".repeat(32) }, "x"), forged({ n: 3, hash: "bb".repeat(32) }, "y")];
    await change(2, (body) => forged({ n: 1, hash: readBlock(body.text)?.prev ?? "" }, "nothing"));
    for (const each of [three, four]) await books.store.blocks.insert(blockId(socketId, each.n), each);
    await write("the break-in");
    for (const { id, body } of await books.store.blocks.find({ socketId }, { limit: 100 }))
      if (body.n > 2) await books.store.blocks.delete(id);
    await change(2, () => saved);
    expect(await problem()).not.toBeNull();
  });

  it("is missed, whatever else says that it is there", async () => {
    await write("a", "b", "c", "the break-in");
    const last = await block(4);
    await remove(3, 4);
    // In its place, and of another socket: nobody who goes through the book comes by it, and who asks for it finds it.
    await books.store.blocks.insert(blockId(socketId, 4), { ...last, socketId: "another" });
    // The last one of this book, and before its beginning.
    await books.store.blocks.insert("!", last);
    expect(await problem()).not.toBeNull();
  });
});

describe("what is too old to be kept", () => {
  it("is what the blocks themselves say", async () => {
    await write("the break-in", "later", "now");
    const aged = (body: Block) => ({ ...body, text: body.text.replace(/"atMs":\d+/g, '"atMs":1') });
    for (const n of [1, 2, 3]) await change(n, (body) => ({ ...aged(body), hash: hashOf(aged(body).text) }));
    await prune(books, socketId);
    expect((await problem()) === null && !(await causes()).includes("the break-in")).toBe(false);
  });

  it("is what the owner has said", async () => {
    await write("the break-in");
    books.advance(2 * dayMs);
    await write("later", "now");
    await books.store.books.insert(socketId, { kept: { days: 0, mac: "00".repeat(32) }, anchor: null });
    books.advance(2 * dayMs);
    await prune(books, socketId);
    expect((await problem()) === null && !(await causes()).includes("the break-in")).toBe(false);
  });

  it("does not cover up what was changed before it", async () => {
    await write("the break-in", "b");
    const { hash } = await block(1);
    await change(1, (body) => ({ ...body, text: body.text.replace("break-in", "nothing") }));
    expect(hashOf((await block(1)).text)).not.toBe(hash);
    books.advance(400 * dayMs);
    await write("now");
    expect(await prune(books, socketId)).toBe(0);
    expect(await problem()).toEqual({ n: 1, what: "changed" });
  });
});

describe("what identity did not write", () => {
  it("is signed for by nobody, also where identity has gone on from it", async () => {
    await write("a");
    expect(await exported()).toContain("statement");
    const one = await block(1);
    await books.store.blocks.insert(blockId(socketId, 2), forged({ n: 1, hash: one.hash }, "bob was let in"));
    await write("what is real");
    await expect(exported()).rejects.toMatchObject({ code: "conflict" });
  });

  it("and an export does not end before the end", async () => {
    await write("a", "the break-in");
    await remove(2);
    await expect(exported()).rejects.toMatchObject({ code: "conflict" });
  });

  it("is shown to nobody, wherever it is put", async () => {
    await write("a", "b", "c");
    books.advance(400 * dayMs);
    await write("d", "e");
    await prune(books, socketId);
    const fake = forged({ n: 2, hash: "aa".repeat(32) }, "bob was let in");
    await books.store.blocks.insert(blockId(socketId, 3), fake);
    const behind = forged({ n: 5, hash: "aa".repeat(32) }, "bob was let in");
    await books.store.blocks.insert(blockId(socketId, 6), { ...behind, socketId: "another" });
    expect(await problem()).toBeNull();
    expect(await causes("oldest")).toEqual(["d", "e"]);
    expect(await causes("newest")).toEqual(["e", "d"]);
  });
});
