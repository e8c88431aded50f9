import { statSync } from "node:fs";
import { join } from "node:path";
import { openEmbeddedDocuments } from "@portcullis/documents/embedded";
import { openMongoDocuments } from "@portcullis/documents/mongodb";
import { afterAll, describe, expect, test } from "vitest";
import { documentsSuite } from "./documents.suite.ts";
import { notes } from "./fixtures/notes.ts";
import { rejection, startWire, temporaryFolder, unique } from "./harness.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());
const file = join(folder.path, "private", "documents.sqlite");
const url = process.env.MONGODB_URL;
const clock = Date.now;

documentsSuite({
  name: "embedded, in memory",
  open: async (clock) => [openEmbeddedDocuments({ file: ":memory:", clock })],
  target: null,
  atomic: true,
});

documentsSuite({
  name: "embedded, in a file",
  open: async (clock) => [openEmbeddedDocuments({ file, clock }), openEmbeddedDocuments({ file, clock })],
  target: { adapter: "embedded", at: file },
  atomic: true,
});

documentsSuite({
  name: url ? "mongodb" : "mongodb (skipped: no MONGODB_URL)",
  skip: !url,
  open: async (clock) => {
    if (!url) throw new Error("no MONGODB_URL");
    return [await openMongoDocuments({ url, clock }), await openMongoDocuments({ url, clock })];
  },
  target: { adapter: "engine", at: url ?? "" },
  atomic: process.env.PORTCULLIS_MONGO_ATOMIC === "1",
});

describe("documents: embedded only", () => {
  test("folder and files are this user's alone", async () => {
    const documents = openEmbeddedDocuments({ file, clock });
    const collection = await documents.collection(notes(unique("notes_")));
    await collection.insert("a", { title: "A" });
    expect(statSync(join(file, "..")).mode & 0o777).toBe(0o700);
    for (const each of [file, `${file}-wal`, `${file}-shm`]) expect(statSync(each).mode & 0o777).toBe(0o600);
    await documents.close();
  });

  test("the sweeper removes what has expired from disk", async () => {
    let now = 1000;
    const documents = openEmbeddedDocuments({ file: ":memory:", clock: () => now, sweepEveryMs: 10 });
    const collection = await documents.collection(notes("notes"));
    await collection.insert("a", { title: "A", expiresAtMs: 2000 });
    now = 2000;
    await new Promise((resolve) => setTimeout(resolve, 60));
    now = 1000;
    expect(await collection.get("a")).toBeNull();
    await documents.close();
  });
});

describe.skipIf(!url)("documents: mongodb only", () => {
  test("while the server is gone it rejects within its time, and works again afterwards", async () => {
    const wire = await startWire(url ?? "");
    const documents = await openMongoDocuments({ url: wire.url, clock, serverSelectionTimeoutMs: 500 });
    const collection = await documents.collection(notes(unique("notes_")));
    await wire.cut();
    expect((await rejection(documents.ping())).tookMs).toBeLessThan(3000);
    expect((await rejection(collection.insert("a", { title: "A" }))).tookMs).toBeLessThan(3000);
    await wire.mend();
    await expect
      .poll(
        () =>
          documents.ping().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true);
    expect(await collection.insert("a", { title: "A" })).toMatchObject({ version: 1 });
    await documents.close();
    await wire.close();
  });

  test("opening rejects when nobody is there", async () => {
    const opening = openMongoDocuments({ url: "mongodb://127.0.0.1:1", clock, serverSelectionTimeoutMs: 300 });
    expect((await rejection(opening)).tookMs).toBeLessThan(3000);
  });
});
