import { type Documents, DuplicateError, type Stored } from "@portcullis/documents";
import { type Kms, keyBytes } from "@portcullis/kms";
import {
  type Clock,
  createVault,
  errorClass,
  type Logger,
  type Random,
  rootOf,
  type Vault,
  type VaultKeys,
  VaultShutError,
} from "@portcullis/runtime";
import { createLeaseClock } from "./lease-clock.ts";
import { AlteredRingError, createOpenedKeys } from "./opened-keys.ts";
import { createRegistration } from "./registration.ts";
import { type Entry, indexId, macOf, printOf, type Ring } from "./ring.ts";
import { openRingStore, type Reader, ringId } from "./store.ts";
import { wrapProven } from "./wrap-proven.ts";

export interface KeyRingOptions {
  readonly documents: Documents;
  readonly kms: Kms;
  /** Whose ring: others cannot open it. */
  readonly service: string;
  /** Names this process to who rotates. */
  readonly instance: string;
  /** Epoch milliseconds. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Logger, "info" | "warn" | "error">;
  /** How long keys are used that could neither be read again nor be opened again by the key service. */
  readonly leaseMs: number;
  /** How soon a running process learns of a change. Default 2000. */
  readonly rereadMs?: number;
  /** For tests: milliseconds of no epoch. */
  readonly leaseClock?: Clock;
}

/** A service's data keys: wrapped in its own documents, open in its memory for a lease. */
export interface KeyRing {
  readonly service: string;
  readonly vault: Vault;
  /** Rejects while the keys are not to be used; for `/readyz`. */
  check(): Promise<void>;
  /** Reads the ring now, and opens what is not open. Many at once are one. */
  refresh(): Promise<void>;
  /** The ring as it is stored. */
  read(): Promise<Stored<Ring>>;
  /** @returns what is written then, or null where somebody else wrote first or `change` gave null. */
  change(change: (keys: readonly Entry[], ring: Ring) => readonly Entry[] | null): Promise<Stored<Ring> | null>;
  /** Another data key, which nobody knows yet. */
  makeKey(state: Entry["state"]): Promise<Entry>;
  /** Has the key service wrap every key of the ring again, under what it uses now. False where somebody else wrote first. */
  rewrap(): Promise<Stored<Ring> | null>;
  readers(): Promise<readonly Reader[]>;
  close(): Promise<void>;
}

/**
 * Opens a service's ring, and makes it where there is none: of any number that start at once, one makes it.
 *
 * @throws {KmsError} @throws {AlteredRingError} and what the store throws
 */
export async function openKeyRing(options: KeyRingOptions): Promise<KeyRing> {
  const { documents, kms, service, instance, clock, random, log, leaseMs, rereadMs = 2_000 } = options;
  const leaseClock = options.leaseClock ?? createLeaseClock();
  const store = await openRingStore(documents, service);
  const opened = createOpenedKeys(kms, service);
  const registration = createRegistration({ readers: store.readers, instance, random, clock, leaseClock, leaseMs });
  /** By id, of keys that were made or opened here: nothing can be had from them but what is compared. */
  const prints = new Map<string, string>();
  let keys: VaultKeys | null = null;
  let knows = 0;
  /** When the ring was last read by a process that was registered, and when the key service last opened all of it. */
  let [readAt, openedAt] = [0, 0];
  let reading: Promise<void> | null = null;
  let trouble: string | null = null;

  const isOver = () => leaseClock() - Math.min(readAt, openedAt) >= leaseMs;

  function shutIfOver(): void {
    if (keys === null || !isOver()) return;
    keys = null;
    opened.wipe();
    log.error("the data keys are erased from memory: the lease is over, and they could not be had again", { service });
  }

  function keysNow(): VaultKeys {
    shutIfOver();
    if (keys === null) throw new VaultShutError();
    return keys;
  }

  async function readOnce(): Promise<void> {
    // Registered before it is read: whoever publishes a key either sees this process, or has written before this reads.
    const registeredAt = await registration.hold(knows);
    const startedAt = leaseClock();
    const { version, body } = await read();
    const anew = keys === null || startedAt - openedAt >= leaseMs / 2;
    if (anew || version !== knows) {
      keys = await opened.open(body, anew);
      remember(keys);
      if (anew) openedAt = startedAt;
    }
    readAt = registeredAt;
    if (version === knows) return;
    knows = version;
    await registration.tell(version);
  }

  async function refresh(): Promise<void> {
    shutIfOver();
    reading ??= readOnce().finally(() => {
      reading = null;
    });
    await reading;
  }

  async function refreshByItself(): Promise<void> {
    try {
      await refresh();
      if (trouble !== null) log.info("the key ring is read again", { service });
      trouble = null;
    } catch (error) {
      const now = errorClass(error);
      if (now !== trouble) log.warn("the key ring cannot be read or opened", { service }, error);
      trouble = now;
    }
  }

  function remember({ current, others, index }: VaultKeys): void {
    for (const root of [current, ...others]) prints.set(root.id, printOf(root));
    prints.set(indexId, printOf(index));
  }

  function printWith(id: string): string {
    const print = prints.get(id);
    if (print === undefined) throw new AlteredRingError();
    return print;
  }

  /** What is wrapped anew takes the place of what was: it has to be the very key that this process works with. */
  function assertIsKnown(id: string, key: Uint8Array): void {
    const root = rootOf(key, service);
    const print = printOf(root);
    root.bytes.fill(0);
    if (print !== printWith(id)) throw new AlteredRingError();
  }

  async function read(): Promise<Stored<Ring>> {
    const found = await store.rings.get(ringId);
    if (found === null) throw new Error("the key ring vanished");
    return found;
  }

  /** As it is stored, with all of its keys open here: others may write between two looks. */
  async function readOpen(): Promise<Stored<Ring>> {
    for (;;) {
      await refresh();
      const found = await read();
      if (found.version === knows) return found;
    }
  }

  async function makeKey(state: Entry["state"]): Promise<Entry> {
    const key = random(keyBytes);
    if (key.length !== keyBytes) throw new RangeError("the random source ran dry");
    const root = rootOf(key, service);
    const { id } = root;
    try {
      const wrapped = await wrapProven(kms, key, { service, key: id });
      prints.set(id, printOf(root));
      const now = clock();
      return { id, ...wrapped, state, madeAtMs: now, sinceMs: now, settledAtMs: null };
    } finally {
      key.fill(0);
      root.bytes.fill(0);
    }
  }

  async function makeFirst(): Promise<void> {
    if ((await store.rings.get(ringId)) !== null) return;
    const key = random(keyBytes);
    const index = rootOf(key, service);
    try {
      const keys = [await makeKey("current")];
      const wrapped = await wrapProven(kms, key, { service, key: indexId });
      await store.rings.insert(ringId, { keys, index: wrapped, mac: macOf(index, service, { keys }, printWith) });
    } catch (error) {
      // Another replica was faster: its ring is everybody's.
      if (!(error instanceof DuplicateError)) throw error;
    } finally {
      key.fill(0);
      index.bytes.fill(0);
    }
  }

  async function write(
    before: Stored<Ring>,
    keys: readonly Entry[],
    index: Ring["index"],
  ): Promise<Stored<Ring> | null> {
    const mac = macOf(keysNow().index, service, { keys }, printWith);
    const written = await store.rings.replace(ringId, before.version, { keys: [...keys], index, mac });
    if (written !== null) await refresh();
    return written;
  }

  try {
    await makeFirst();
    await refresh();
  } catch (error) {
    // Whoever waits for the key service tries again as another reader: a rotation would wait a lease for each of them.
    opened.wipe();
    await registration.end().catch(() => undefined);
    throw error;
  }
  const timer = setInterval(() => void refreshByItself(), rereadMs);
  timer.unref();

  return {
    service,
    vault: createVault(keysNow, random),
    async check() {
      keysNow();
    },
    refresh,
    read,
    async change(change) {
      const before = await readOpen();
      const next = change(before.body.keys, before.body);
      return next === null ? null : write(before, next, before.body.index);
    },
    makeKey,
    async rewrap() {
      const before = await readOpen();
      const again = async (id: string, wrapped: string) => {
        const key = await kms.unwrap(wrapped, { service, key: id });
        try {
          assertIsKnown(id, key);
          return await wrapProven(kms, key, { service, key: id });
        } finally {
          key.fill(0);
        }
      };
      const keys: Entry[] = [];
      for (const entry of before.body.keys) keys.push({ ...entry, ...(await again(entry.id, entry.wrapped)) });
      return write(before, keys, await again(indexId, before.body.index.wrapped));
    },
    readers: store.allReaders,
    async close() {
      clearInterval(timer);
      await reading?.catch(() => undefined);
      keys = null;
      opened.wipe();
      await registration.end();
    },
  };
}
