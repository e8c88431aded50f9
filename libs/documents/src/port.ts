/**
 * Documents: what must outlive everything else. Small on purpose, so that both adapters stay small and cannot drift apart.
 *
 * Promise, the same for every adapter and proven by one conformance suite:
 * - a write that returned is durable (embedded: synced to disk; MongoDB: acknowledged by a majority, journaled), and is seen
 *   by every read and count that begins afterwards, on whichever replica;
 * - `insert` is atomic against every unique index: of any number of concurrent inserts of one value, exactly one wins;
 * - `replace` and `delete` with a version are compare-and-set: of any number of concurrent writers holding the same
 *   version, exactly one wins (proven on MongoDB and on the embedded adapter; FerretDB does not promise it);
 * - `null` and an absent field are the same value to a filter, and a unique index ignores documents that lack one of its
 *   fields;
 * - values of different types differ (`1`, `"1"` and `true` are three values); strings sort by their UTF-8 bytes;
 * - a document past its expiry is gone, whether or not the sweeper has come by yet: it is never returned, counted, replaced
 *   or deleted, and never in the way of a document that wants its id or unique value;
 * - bodies are JSON: what JSON leaves out (`undefined`) is not stored.
 */

import type { z } from "zod";

/** A value that an index or an equality filter can hold. */
export type Indexed = string | number | boolean | null;

export interface Index {
  /** Top-level field names, in order. */
  readonly fields: readonly string[];
  readonly unique?: boolean;
}

/** What a service declares about one kind of document before it may store any. */
export interface CollectionDefinition<T extends object> {
  /** Lower-case, `service_things`; becomes the table or collection name. */
  readonly name: string;
  /**
   * Strict; parsed on the way in and again on the way out, so that nothing unknown is ever trusted. Without transforms:
   * what it yields must be what it accepts.
   */
  readonly schema: z.ZodType<T>;
  /**
   * Every field that a filter or a sort names must be declared here. Indexes can be added to a collection that has
   * documents; one that is no longer declared stays until an operator drops it.
   */
  readonly indexes: readonly Index[];
  /** Name of a top-level field with epoch milliseconds (or null: never) after which the document is gone. */
  readonly expiresAtField?: string;
}

/** A stored document: the body, its id and the version that a later write must name. */
export interface Stored<T> {
  readonly id: string;
  /** 1 on insert, +1 with each replace. */
  readonly version: number;
  readonly body: T;
}

export type Filter = Readonly<Record<string, Indexed>>;

export interface FindOptions {
  /** One declared indexed field; ties are broken by id. Default: by id, ascending. */
  readonly sort?: { readonly field: string; readonly direction: "ascending" | "descending" };
  /** 1 to 1000; default 100. */
  readonly limit?: number;
  /** Only documents behind this id: the next page. Not together with a sort, which goes by id then. */
  readonly after?: string | null;
}

export interface Collection<T extends object> {
  /**
   * @param id 1 to 256 characters.
   * @throws {DuplicateError} when the id or a unique index is taken.
   * @throws {z.ZodError} when the schema refuses the body.
   */
  insert(id: string, body: T): Promise<Stored<T>>;
  get(id: string): Promise<Stored<T> | null>;
  /** Equality on declared fields only. @throws {TypeError} when the filter or the sort names another field. */
  find(filter: Filter, options?: FindOptions): Promise<Stored<T>[]>;
  findOne(filter: Filter): Promise<Stored<T> | null>;
  count(filter: Filter): Promise<number>;
  /**
   * Compare-and-set. @returns the new document, or null when the version was not the current one (or it is gone).
   * @throws {DuplicateError} when a unique index is taken.
   */
  replace(id: string, version: number, body: T): Promise<Stored<T> | null>;
  /** @returns whether it was there (and, where a version is given, had that version). */
  delete(id: string, version?: number): Promise<boolean>;
}

export interface Documents {
  /** Creates table and indexes when missing. Call once per definition at start. */
  collection<T extends object>(definition: CollectionDefinition<T>): Promise<Collection<T>>;
  /** Resolves when the store answers, rejects otherwise; used by `/readyz`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** A unique index (or the id) already holds the value. */
export class DuplicateError extends Error {
  override readonly name = "DuplicateError";
  readonly collection: string;
  /** Field names of the index, or `["id"]`. */
  readonly fields: readonly string[];
  constructor(collection: string, fields: readonly string[], options?: ErrorOptions) {
    super(`a document with the same ${fields.join(" + ")} is already in ${collection}`, options);
    this.collection = collection;
    this.fields = fields;
  }
}
