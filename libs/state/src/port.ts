/**
 * State: handshakes, sessions, used codes, counters: short-lived, contended, and wrong at once if two writers both win.
 *
 * Promise, the same for every adapter and proven by one conformance suite:
 * - every operation is atomic and linearizable: of any number of concurrent callers on any number of replicas, the
 *   documented number wins;
 * - an entry past its time to live is never returned and never blocks a `create`;
 * - a write that returned survives kill -9 of the caller; it survives kill -9 of the engine as far as the engine was told
 *   to (embedded: synced to disk; Redis: `appendfsync always` in what we ship);
 * - values are opaque bytes;
 * - entries, counters, marks and sets are four spaces: the same key in two of them names two things;
 * - while the engine is gone every operation rejects within seconds. What rejected may have been carried out.
 *
 * Keys, members and holders are well-formed strings of 1 to 512 characters. Times to live are whole milliseconds, at least 1.
 */
export interface Entry {
  readonly value: Uint8Array;
  /** Names this very write; changes with each. */
  readonly version: string;
}

export interface CountedWrite {
  /** The entry. Its value will be `value` followed by the sum, as 8 bytes, big-endian. */
  readonly key: string;
  /** Compare-and-set; null: nothing is there yet. */
  readonly version: string | null;
  readonly value: Uint8Array;
  readonly ttlMs: number;
  readonly counter: string;
  /** As in `add`. */
  readonly counterTtlMs: number;
  /** Another entry that is written along with it, whatever was there: its key is `prefix` followed by the sum in decimal. */
  readonly kept: { readonly prefix: string; readonly value: Uint8Array; readonly ttlMs: number } | null;
}

export interface State {
  get(key: string): Promise<Entry | null>;
  /** Writes only if nothing is there. @returns the version, or null when something was. */
  create(key: string, value: Uint8Array, ttlMs: number): Promise<string | null>;
  /** Compare-and-set; the time to live starts anew. @returns the new version, or null when `version` is not current. */
  replace(key: string, version: string, value: Uint8Array, ttlMs: number): Promise<string | null>;
  /** @returns whether something was there (and, where a version is given, had that version). */
  delete(key: string, version?: string): Promise<boolean>;
  /** Reads and deletes in one step: of concurrent takers exactly one gets the value. */
  take(key: string): Promise<Uint8Array | null>;

  /**
   * Deletes an entry and, exactly if it was there, adds 1 to a counter, in one step: nobody sees one without the other. The time to
   * live is the counter's, as in `add`.
   *
   * @returns whether it was there
   */
  deleteAndCount(key: string, counter: string, ttlMs: number): Promise<boolean>;

  /**
   * Takes the next number and remembers what for, in one step: nobody ever has a number of which the entry does not know, nor the other way round.
   *
   * @returns the counter's sum after 1 was added; null when `version` is not current, and then nothing has changed
   */
  replaceAndCount(step: CountedWrite): Promise<number | null>;

  /**
   * Adds to a counter (a whole number, also below zero) and returns the sum. The time to live starts with the first add
   * and is not extended.
   */
  add(key: string, amount: number, ttlMs: number): Promise<number>;
  /** The counter's sum, 0 when there is none. */
  sum(key: string): Promise<number>;
  /** Forgets a counter: its sum is 0 and its time to live starts anew with the next add. */
  reset(key: string): Promise<void>;

  /**
   * Moves a mark that only rises: true when `value` is above the mark (which then is `value`, held by `holder`), or when
   * it equals the mark and `holder` is who put it there: the same request, repeated, gets the same answer. Anything else
   * is false. This is how a time step is used once (RFC 6238 section 5.2). `value` is a non-negative safe integer. The time to live
   * starts anew whenever the mark rises; after it, the mark is forgotten, so it must be longer than any value is good for.
   */
  advance(key: string, value: number, holder: string, ttlMs: number): Promise<boolean>;

  /**
   * Puts a member into a set until `expiresAtMs` (epoch); a member already there gets the later expiry.
   *
   * @param membersMax where more are there then, those that expire first go, this one among them; of equal ones those whose names come first as bytes. At
   *   least 1. Default: no bound
   */
  join(key: string, member: string, expiresAtMs: number, membersMax?: number): Promise<void>;
  /** @returns whether it was there. */
  leave(key: string, member: string): Promise<boolean>;
  /** Members that have not expired, in no order. */
  members(key: string): Promise<string[]>;

  /** Resolves when the engine answers, rejects otherwise; used by `/readyz`. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
