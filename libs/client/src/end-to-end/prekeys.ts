import { type KemKeyPair, prekeyPair, prekeySuites, secureRandom } from "@portcullis/crypto";
import { base64url, equalBytes, type PrekeyStatement, type SuiteId } from "@portcullis/protocol";
import { ownError, PortcullisError } from "../errors.ts";
import type { PrekeyStore } from "./stores.ts";

interface Prekey {
  readonly id: Uint8Array;
  /** 32 bytes, all of its secret. */
  readonly seed: Uint8Array;
  readonly from: number;
}

/** A recipient's prekeys: the newest is sealed to, those before it open what was under way. */
export interface Prekeys {
  /** Makes another one where the newest is old enough; erases those whose grace is over. @returns the newest, for publishing */
  current(): Promise<Omit<PrekeyStatement, "socket" | "name">>;
  /**
   * Null: erased, or never ours, or under a suite that is not good enough. Rejects with `unsupported` where this runtime has not what the suite takes, and that
   * could not be loaded.
   */
  pair(keyId: Uint8Array, suite: SuiteId): Promise<KemKeyPair | null>;
  /** Epoch milliseconds, when `current` has something to do. */
  readonly dueAt: number;
}

const triesMax = 8;

/**
 * @param parts.graceMs how long a prekey that was followed still opens: as long as a message may be under way
 * @throws {PortcullisError} `key` where the store holds something else, `unsupported` where this runtime has none of the suites
 */
export function createPrekeys(parts: {
  readonly store: PrekeyStore;
  readonly rotateMs: number;
  readonly graceMs: number;
  readonly clock: () => number;
  /** Under which it is sealed to us, and opened. Default: all that this runtime has. */
  readonly suites?: readonly SuiteId[] | undefined;
}): Prekeys {
  const { store, rotateMs, graceMs, clock, suites: own } = parts;
  let keys: readonly Prekey[] = [];

  /** Whom nobody seals to any more, and whose messages have come or never will. */
  function isOver(index: number, all: readonly Prekey[]): boolean {
    const follower = all[index + 1];
    return follower !== undefined && clock() >= follower.from + graceMs;
  }

  async function load(): Promise<string | null> {
    const text = await store.get();
    keys = text === null ? [] : keysIn(text);
    return text;
  }

  async function refresh(): Promise<Prekey> {
    for (let tries = 0; tries < triesMax; tries += 1) {
      const before = await load();
      const newest = keys.at(-1);
      const next = newest === undefined || clock() >= newest.from + rotateMs ? [fresh(clock())] : [];
      const after = [...keys, ...next].filter((_, index, all) => !isOver(index, all));
      const last = after.at(-1);
      if (last === undefined) throw new PortcullisError("key");
      if (next.length === 0 && after.length === keys.length) return last;
      if (await store.put(textOf(after), before)) {
        for (const key of keys) if (!after.includes(key)) key.seed.fill(0);
        keys = after;
        return last;
      }
    }
    // Others write it all the time.
    throw new PortcullisError("unavailable");
  }

  const usable = (keyId: Uint8Array) => keys.find(({ id }, index) => equalBytes(id, keyId) && !isOver(index, keys));

  return {
    async current() {
      const { id, seed, from } = await refresh();
      const suites = await prekeySuites(seed, own);
      if (Object.keys(suites).length === 0) throw new PortcullisError("unsupported");
      return { id, suites, from, until: from + 2 * rotateMs };
    },
    async pair(keyId, suite) {
      if (own?.includes(suite) === false) return null;
      // Another replica may have made it.
      if (usable(keyId) === undefined) await load();
      const found = usable(keyId);
      if (found === undefined) return null;
      return prekeyPair(found.seed, suite).catch((error: unknown) => {
        throw ownError(error);
      });
    },
    get dueAt() {
      const newest = keys.at(-1);
      if (newest === undefined) return 0;
      const overAt = keys.length > 1 ? (keys[1]?.from ?? 0) + graceMs : Number.POSITIVE_INFINITY;
      return Math.min(newest.from + rotateMs, overAt);
    },
  };
}

function fresh(from: number): Prekey {
  return { id: secureRandom(8), seed: secureRandom(32), from };
}

function textOf(keys: readonly Prekey[]): string {
  const written = keys.map(({ id, seed, from }) => ({ id: base64url.encode(id), seed: base64url.encode(seed), from }));
  return JSON.stringify(written);
}

function keysIn(text: string): Prekey[] {
  try {
    const written: readonly Readonly<Record<string, unknown>>[] = JSON.parse(text);
    return written.map(({ id, seed, from }) => {
      const key = { id: base64url.decode(String(id)), seed: base64url.decode(String(seed)), from: Number(from) };
      if (key.id.length !== 8 || key.seed.length !== 32 || !Number.isSafeInteger(key.from))
        throw new Error("no prekey");
      return key;
    });
  } catch {
    throw new PortcullisError("key");
  }
}
