import type { Collection, CollectionDefinition, Documents } from "@portcullis/documents";
import { DuplicateError, insertWithin } from "@portcullis/documents";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Note, notes } from "./fixtures/notes.ts";
import { skippingClock, startFixture, type Target, unique } from "./harness.ts";

export interface DocumentsSubject {
  readonly name: string;
  /** Several adapters on the same store, as replicas of a service have them. */
  open(clock: () => number): Promise<readonly Documents[]>;
  /** How other processes reach it; null for one that lives in this process only. */
  readonly target: Target | null;
  /** Conditional updates are atomic. FerretDB does not promise it. */
  readonly atomic: boolean;
  /** Without an engine every test is skipped, by name. */
  readonly skip?: boolean;
}

const racers = 50;
const hourMs = 3_600_000;

/** Every sentence of `libs/documents/src/port.ts`. */
export function documentsSuite(subject: DocumentsSubject): void {
  describe.skipIf(subject.skip)(`documents: ${subject.name}`, () => {
    const { clock, skip } = skippingClock();
    let replicas: readonly Documents[] = [];
    beforeAll(async () => {
      replicas = await subject.open(clock);
    });
    afterAll(async () => {
      for (const replica of replicas) await replica.close();
    });

    const collections = async <T extends object = Note>(
      definition: CollectionDefinition<T> = notes(unique("notes_")) as unknown as CollectionDefinition<T>,
    ): Promise<Collection<T>[]> => {
      const opened: Collection<T>[] = [];
      for (const replica of replicas) opened.push(await replica.collection(definition));
      return opened;
    };
    const fresh = async (): Promise<Collection<Note>> => first(await collections());
    const first = <T>(all: readonly T[]): T => {
      const [one] = all;
      if (one === undefined) throw new Error("no replica");
      return one;
    };
    /** `racers` calls, spread over the replicas, all begun before any has ended. */
    const race = async <T extends object, R>(
      all: Collection<T>[],
      call: (collection: Collection<T>, n: number) => Promise<R>,
    ) => {
      const calls = Array.from({ length: racers }, (_, n) => call(all[n % all.length] ?? first(all), n));
      const settled = await Promise.allSettled(calls);
      return {
        values: settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])),
        errors: settled.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : [])),
      };
    };

    test("what was inserted is returned as it was, with version 1", async () => {
      const collection = await fresh();
      const nested = { "a.b": [[1, [2]], { $c: null }], "": "é\u0000\ud800", big: 2 ** 52, small: -1.5e-7, list: [] };
      const inserted = await collection.insert("a", { title: "A", nested });
      expect(inserted).toEqual({ id: "a", version: 1, body: { title: "A", nested } });
      expect(await collection.get("a")).toEqual(inserted);
      expect(await collection.get("b")).toBeNull();
    });

    test("the schema refuses an unknown field on the way in", async () => {
      const collection = await fresh();
      await expect(collection.insert("a", { title: "A", extra: 1 } as Note)).rejects.toThrow(z.ZodError);
      await collection.insert("a", { title: "A" });
      await expect(collection.replace("a", 1, { title: "A", extra: 1 } as Note)).rejects.toThrow(z.ZodError);
      expect(await collection.get("a")).toMatchObject({ version: 1 });
    });

    test("the schema refuses on the way out what an older schema let in", async () => {
      const name = unique("notes_");
      const loose = first(
        await collections({ name, schema: z.object({ title: z.string(), old: z.string() }), indexes: [] }),
      );
      await loose.insert("a", { title: "A", old: "x" });
      const strict = first(await collections(notes(name)));
      await expect(strict.get("a")).rejects.toThrow(z.ZodError);
    });

    test("an id is taken once", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A" });
      const error = await collection.insert("a", { title: "B" }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(DuplicateError);
      expect(error).toMatchObject({ fields: ["id"] });
      expect(await collection.get("a")).toMatchObject({ body: { title: "A" } });
    });

    test("a unique value is taken once, and the error names its fields", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", email: "a@example.com", realm: "r", label: "l" });
      await expect(collection.insert("b", { title: "B", email: "a@example.com" })).rejects.toMatchObject({
        name: "DuplicateError",
        fields: ["email"],
      });
      await expect(collection.insert("b", { title: "B", realm: "r", label: "l" })).rejects.toMatchObject({
        name: "DuplicateError",
        fields: ["realm", "label"],
      });
      await collection.insert("b", { title: "B", realm: "r", label: "other" });
      await expect(collection.replace("b", 1, { title: "B", email: "a@example.com" })).rejects.toMatchObject({
        name: "DuplicateError",
        fields: ["email"],
      });
      expect(await collection.get("b")).toMatchObject({ version: 1, body: { label: "other" } });
    });

    test("replacing a document by one with its own unique value is no duplicate", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", email: "a@example.com" });
      expect(await collection.replace("a", 1, { title: "B", email: "a@example.com" })).toMatchObject({ version: 2 });
    });

    test("a unique value is free again after replace and delete", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", email: "a@example.com" });
      await collection.replace("a", 1, { title: "A", email: "b@example.com" });
      await collection.insert("b", { title: "B", email: "a@example.com" });
      await collection.delete("b");
      await collection.insert("c", { title: "C", email: "a@example.com" });
      expect(await collection.count({})).toBe(2);
    });

    test("a unique index ignores documents that lack one of its fields", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A" });
      await collection.insert("b", { title: "B" });
      await collection.insert("c", { title: "C", email: null });
      await collection.insert("d", { title: "D", email: null });
      await collection.insert("e", { title: "E", realm: "r" });
      await collection.insert("f", { title: "F", realm: "r", label: null });
      expect(await collection.count({})).toBe(6);
    });

    test("to a filter, null and absent are the same value", async () => {
      const collection = await fresh();
      await collection.insert("absent", { title: "A" });
      await collection.insert("null", { title: "B", owner: null });
      await collection.insert("present", { title: "C", owner: "x" });
      const found = await collection.find({ owner: null });
      expect(found.map(({ id }) => id)).toEqual(["absent", "null"]);
      expect(found.map(({ body }) => body)).toEqual([{ title: "A" }, { title: "B", owner: null }]);
      expect(await collection.count({ owner: null, email: null })).toBe(2);
    });

    test("values of different types differ", async () => {
      const collection = await fresh();
      for (const owner of [1, "1", true, 0, "", false]) await collection.insert(unique("d"), { title: "T", owner });
      for (const owner of [1, "1", true, 0, "", false]) {
        expect((await collection.find({ owner })).map(({ body }) => body.owner)).toEqual([owner]);
      }
    });

    test("a filter means all of its fields, and a value is never a pattern", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", owner: "x", rank: 1 });
      await collection.insert("b", { title: "B", owner: "x", rank: 2 });
      await collection.insert("c", { title: "C", owner: "y", rank: 1 });
      expect((await collection.find({ owner: "x", rank: 1 })).map(({ id }) => id)).toEqual(["a"]);
      expect(await collection.findOne({ owner: "x", rank: 3 })).toBeNull();
      expect(await collection.findOne({ owner: "y" })).toMatchObject({ id: "c", version: 1 });
      expect(await collection.count({ owner: "x" })).toBe(2);
      for (const owner of ["%", "x%", ".*", "$x", "' OR 1=1 --"]) expect(await collection.count({ owner })).toBe(0);
      const injected = { owner: { $ne: null } } as unknown as { owner: string };
      await expect(collection.find(injected)).rejects.toThrow(TypeError);
      await expect(collection.find({ owner: undefined } as unknown as { owner: string })).rejects.toThrow(TypeError);
    });

    test("a filter or a sort on an undeclared field is a TypeError", async () => {
      const collection = await fresh();
      await expect(collection.find({ title: "A" })).rejects.toThrow(TypeError);
      await expect(collection.findOne({ title: "A" })).rejects.toThrow(TypeError);
      await expect(collection.count({ expiresAtMs: 1 })).rejects.toThrow(TypeError);
      await expect(collection.find({}, { sort: { field: "title", direction: "ascending" } })).rejects.toThrow(
        TypeError,
      );
    });

    test("documents come sorted, nulls first, ties by id, at most as many as the limit", async () => {
      const collection = await fresh();
      const ranks: Record<string, number | null> = { d: 2, c: 10, b: 2, a: -1, e: null };
      for (const [id, rank] of Object.entries(ranks)) await collection.insert(id, { title: id, rank });
      const ids = async (...options: Parameters<Collection<Note>["find"]>) =>
        (await collection.find(...options)).map(({ id }) => id).join("");
      expect(await ids({})).toBe("abcde");
      expect(await ids({}, { sort: { field: "rank", direction: "ascending" } })).toBe("eabdc");
      expect(await ids({}, { sort: { field: "rank", direction: "descending" } })).toBe("cbdae");
      expect(await ids({}, { sort: { field: "rank", direction: "descending" }, limit: 2 })).toBe("cb");
      await expect(collection.find({}, { limit: 0 })).rejects.toThrow(RangeError);
      await expect(collection.find({}, { limit: 1001 })).rejects.toThrow(RangeError);
    });

    test("strings sort by their UTF-8 bytes", async () => {
      const collection = await fresh();
      for (const owner of ["b", "a", "B", "é", "\u{1f600}", "\uffee", "aa"])
        await collection.insert(unique("d"), { title: "T", owner });
      const sorted = await collection.find({}, { sort: { field: "owner", direction: "ascending" } });
      expect(sorted.map(({ body }) => body.owner)).toEqual(["B", "a", "aa", "b", "é", "\uffee", "\u{1f600}"]);
    });

    test("without a limit, 100 documents come back", async () => {
      const collection = await fresh();
      await Promise.all(Array.from({ length: 101 }, (_, n) => collection.insert(`n${n}`, { title: "T" })));
      expect(await collection.find({})).toHaveLength(100);
      expect(await collection.count({})).toBe(101);
    });

    test("replace is compare-and-set and counts versions", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "1" });
      expect(await collection.replace("a", 1, { title: "2" })).toEqual({ id: "a", version: 2, body: { title: "2" } });
      expect(await collection.replace("a", 1, { title: "lost" })).toBeNull();
      expect(await collection.replace("a", 3, { title: "early" })).toBeNull();
      expect(await collection.replace("gone", 1, { title: "lost" })).toBeNull();
      expect(await collection.get("a")).toEqual({ id: "a", version: 2, body: { title: "2" } });
    });

    test("delete tells whether it was there, with that version", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A" });
      expect(await collection.delete("a", 2)).toBe(false);
      expect(await collection.delete("a", 1)).toBe(true);
      expect(await collection.delete("a", 1)).toBe(false);
      await collection.insert("a", { title: "A" });
      expect(await collection.delete("a")).toBe(true);
      expect(await collection.delete("a")).toBe(false);
    });

    test("a document past its expiry is gone, before any sweep", async () => {
      const collection = await fresh();
      const expiresAtMs = clock() + hourMs;
      await collection.insert("a", { title: "A", owner: "x", expiresAtMs });
      await collection.insert("forever", { title: "F", owner: "x", expiresAtMs: null });
      expect(await collection.get("a")).toMatchObject({ id: "a", body: { expiresAtMs } });
      skip(hourMs);
      expect(await collection.get("a")).toBeNull();
      expect((await collection.find({ owner: "x" })).map(({ id }) => id)).toEqual(["forever"]);
      expect(await collection.count({ owner: "x" })).toBe(1);
      expect(await collection.findOne({ owner: "x" })).toMatchObject({ id: "forever" });
      expect(await collection.replace("a", 1, { title: "revived" })).toBeNull();
      expect(await collection.delete("a")).toBe(false);
    });

    test("a document past its expiry is not in the way", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", email: "a@example.com", expiresAtMs: clock() + hourMs });
      await collection.insert("b", { title: "B", email: "b@example.com", expiresAtMs: clock() + hourMs });
      await collection.insert("c", { title: "C" });
      skip(hourMs);
      expect(await collection.insert("a", { title: "new" })).toMatchObject({ version: 1 });
      expect(await collection.insert("d", { title: "D", email: "a@example.com" })).toMatchObject({ version: 1 });
      expect(await collection.replace("c", 1, { title: "C", email: "b@example.com" })).toMatchObject({ version: 2 });
    });

    test("a later replace can move or remove the expiry", async () => {
      const collection = await fresh();
      await collection.insert("a", { title: "A", expiresAtMs: clock() + hourMs });
      await collection.replace("a", 1, { title: "A", expiresAtMs: clock() + 3 * hourMs });
      skip(2 * hourMs);
      await collection.replace("a", 2, { title: "A" });
      skip(2 * hourMs);
      expect(await collection.get("a")).toMatchObject({ version: 3 });
    });

    test("an index declared later covers what was there before", async () => {
      const { name, schema } = notes(unique("notes_"));
      const before = first(await collections({ name, schema, indexes: [] }));
      await before.insert("a", { title: "A", email: "a@example.com", owner: true });
      const after = first(await collections(notes(name)));
      expect(await after.findOne({ email: "a@example.com", owner: true })).toMatchObject({ id: "a" });
      await expect(after.insert("b", { title: "B", email: "a@example.com" })).rejects.toThrow(DuplicateError);
    });

    test("pages go by id, and leave out nothing that stays", async () => {
      const collection = await fresh();
      const ids = ["B", "a", "b", "c", "é"];
      for (const id of ids) await collection.insert(id, { title: id, owner: "ann" });
      await collection.insert("bb", { title: "another's", owner: "eve" });
      const after = async (id: string | null) =>
        (await collection.find({ owner: "ann" }, { limit: 2, after: id })).map((found) => found.id);
      expect([await after(null), await after("a"), await after("c"), await after("é")]).toEqual([
        ["B", "a"],
        ["b", "c"],
        ["é"],
        [],
      ]);
      expect(await after("aa")).toEqual(["b", "c"]);
      const sort = { field: "owner", direction: "ascending" } as const;
      await expect(collection.find({}, { sort, after: "a" })).rejects.toThrow(TypeError);
    });

    test("declaring a collection again keeps what it holds", async () => {
      const definition = notes(unique("notes_"));
      await first(await collections(definition)).insert("a", { title: "A" });
      expect(await first(await collections(definition)).get("a")).toMatchObject({ id: "a" });
    });

    test("names, ids and values that an engine could not carry are refused", async () => {
      const collection = await fresh();
      for (const id of ["", "x".repeat(257), "nul\0", "\ud800"]) {
        await expect(collection.insert(id, { title: "T" })).rejects.toThrow(TypeError);
        await expect(collection.get(id)).rejects.toThrow(TypeError);
      }
      await expect(collection.insert("a", { title: "T", owner: "nul\0" })).rejects.toThrow(TypeError);
      await expect(collections({ ...notes("Bad; DROP") })).rejects.toThrow(TypeError);
      await expect(collections({ ...notes("fine"), indexes: [{ fields: ["a') --"] }] })).rejects.toThrow(TypeError);
    });

    test(`of ${racers} concurrent inserts of one id, one wins`, async () => {
      const { values, errors } = await race(await collections(), (collection, n) =>
        collection.insert("same", { title: `${n}` }),
      );
      expect(values).toHaveLength(1);
      expect(errors.every((error) => error instanceof DuplicateError)).toBe(true);
    });

    test(`of ${racers} concurrent inserts of one unique value, one wins`, async () => {
      const all = await collections();
      const { values, errors } = await race(all, (collection, n) =>
        collection.insert(`n${n}`, { title: "T", email: "one@example.com" }),
      );
      expect(values).toHaveLength(1);
      expect(errors.every((error) => error instanceof DuplicateError)).toBe(true);
      expect(await first(all).find({ email: "one@example.com" })).toEqual(values);
    });

    test(`of ${racers} who insert at once where five have room, five stay at most; one after the other, five`, async () => {
      const all = await collections(notes(unique("notes_")));
      const within = (collection: Collection<Note>, id: string) =>
        insertWithin(collection, id, { title: "T" }, { max: 5, count: () => collection.count({}) });
      const { values, errors } = await race(all, (collection, n) => within(collection, `n${n}`));
      const stored = await first(all).find({});
      expect(errors).toEqual([]);
      expect(values.filter((value) => value !== null)).toHaveLength(stored.length);
      expect(stored.length).toBeLessThanOrEqual(5);
      for (let n = stored.length; n < 5; n += 1) expect(await within(first(all), `later${n}`)).not.toBeNull();
      expect(await within(first(all), "one-more")).toBeNull();
      expect(await first(all).count({})).toBe(5);
    });

    test.skipIf(!subject.atomic)(
      `mongo-atomic: of ${racers} concurrent replaces of one version, one wins`,
      async () => {
        const all = await collections();
        await first(all).insert("a", { title: "start" });
        const { values, errors } = await race(all, (collection, n) => collection.replace("a", 1, { title: `${n}` }));
        expect(errors).toEqual([]);
        const winners = values.filter((value) => value !== null);
        expect(winners).toHaveLength(1);
        expect(await first(all).get("a")).toEqual(winners[0]);
      },
    );

    test.skipIf(!subject.atomic)(`mongo-atomic: of ${racers} concurrent deletes of one version, one wins`, async () => {
      const all = await collections();
      await first(all).insert("a", { title: "start" });
      const { values } = await race(all, (collection) => collection.delete("a", 1));
      expect(values.filter((value) => value)).toHaveLength(1);
    });

    if (subject.target !== null) {
      test("of the inserts of several processes, one wins", async () => {
        const definition = notes(unique("notes_"));
        const collection = first(await collections(definition));
        const count = 30;
        const racing = ["p", "q", "r"].map((racer) =>
          startFixture("documents-racer", { target: subject.target, collection: definition.name, racer, count }),
        );
        const won = (await Promise.all(racing.map((racer) => racer.end()))).flat().map(Number);
        expect(won.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, n) => n));
        expect(await collection.count({})).toBe(count);
      });

      test("a write that returned survives kill -9", async () => {
        const definition = notes(unique("notes_"));
        const writer = startFixture("documents-writer", { target: subject.target, collection: definition.name });
        expect(await writer.line()).toBe("written");
        await writer.kill();
        const collection = first(await collections(definition));
        expect(await collection.get("kept")).toEqual({ id: "kept", version: 2, body: { title: "second" } });
      });
    }

    test("it answers a ping, and after close no more", async () => {
      const [replica] = await subject.open(clock);
      await replica?.ping();
      await replica?.close();
      await replica?.close();
      await expect(replica?.ping()).rejects.toThrow();
    });
  });
}
