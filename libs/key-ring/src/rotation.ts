import { setTimeout as sleep } from "node:timers/promises";
import type { Documents, Stored } from "@portcullis/documents";
import { type Clock, StartupError } from "@portcullis/runtime";
import type { KeyRing } from "./key-ring.ts";
import { currentOf, type Entry, keysMax, nextOf, type Ring, settled, switched } from "./ring.ts";
import type { Resealed, SealedStore } from "./sealed-store.ts";

export interface RotationOptions {
  readonly ring: KeyRing;
  readonly documents: Documents;
  /** All that the service has sealed in documents. */
  readonly stores: readonly SealedStore[];
  readonly clock: Clock;
  /** One line of progress at a time. */
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  /** Default 1000. */
  readonly pollMs?: number;
}

/**
 * From the switch to the erasure of the key before: longer than anything sealed lives outside of documents (keys of epochs, 37 h), and longer by more than the longest
 * lease, during which a replica that was cut off may still have sealed under it.
 */
export const erasableAfterMs = 48 * 3_600_000;

const passesMax = 10;

/**
 * Another data key, without anybody waiting for it. What was begun and not finished, by whomever, is finished instead of beginning anew, so that it may be killed anywhere and
 * run twice at once:
 *
 * 1. the new key is published as `next`: all replicas can open what is sealed under it, and none seals;
 * 2. when every replica that is registered knows it, it becomes `current`;
 * 3. when every replica knows that, nothing new comes under the key before: every document is sealed again;
 * 4. once a pass finds nothing left, the key before is settled. `retire` erases it later.
 *
 * @throws {StartupError} there are as many keys as may be, or others write so much that no pass gets through
 */
export async function rotate(options: RotationOptions): Promise<void> {
  const { ring, say } = options;
  await retire(options, { unreadableToo: false });
  const { body } = await ring.read();
  if (isUnderWay(body)) say("going on with the rotation that was begun");
  else await publish(options, currentOf(body).id);
  await switchOver(options);
  await settle(options);
}

function unsettledOf({ keys }: { readonly keys: readonly Entry[] }): readonly string[] {
  return keys.filter(({ state, settledAtMs }) => state === "previous" && settledAtMs === null).map(({ id }) => id);
}

export function isUnderWay(ring: { readonly keys: readonly Entry[] }): boolean {
  return nextOf(ring) !== null || unsettledOf(ring).length > 0;
}

async function publish({ ring, say }: RotationOptions, current: string): Promise<void> {
  const next = await ring.makeKey("next");
  const written = await ring.change((keys) => {
    // Somebody who was asked at the same moment has begun, or has even finished: that is the rotation that was asked for.
    if (isUnderWay({ keys }) || currentOf({ keys }).id !== current) return null;
    if (keys.length >= keysMax)
      throw new StartupError(
        `there are ${keys.length} keys already: wait until the oldest can be erased (keys retire)`,
      );
    return [...keys, next];
  });
  say(written === null ? "somebody else rotates at this moment: going on with theirs" : `key ${next.id} is published`);
}

async function switchOver(options: RotationOptions): Promise<void> {
  const { ring, clock, say } = options;
  for (;;) {
    const stored = await ring.read();
    const next = nextOf(stored.body);
    if (next === null) return;
    await untilAllKnow(options, stored);
    const written = await ring.change((keys) => (nextOf({ keys })?.id === next.id ? switched(keys, clock()) : null));
    if (written !== null) say(`key ${next.id} is current`);
  }
}

async function settle(options: RotationOptions): Promise<void> {
  const { ring, clock, say } = options;
  const stored = await ring.read();
  await untilAllKnow(options, stored);
  const { unreadable } = await resealAll(options);
  // Of those alone that were previous before the first pass: somebody else may have switched meanwhile.
  const ids = unsettledOf(stored.body);
  while (unsettledOf((await ring.read()).body).some((id) => ids.includes(id)))
    await ring.change((keys) => settled(keys, ids, clock()));
  if (unreadable > 0)
    say(
      `${unreadable} documents have something that no key opens: they are as they were, and keys retire will ask about them`,
    );
  for (const key of (await ring.read()).body.keys)
    if (key.state === "previous")
      say(`key ${key.id} can be erased from ${new Date(erasableAtMs(key)).toISOString()} on`);
}

function erasableAtMs({ sinceMs }: Entry): number {
  return sinceMs + erasableAfterMs;
}

/**
 * Erases the keys before, once nothing can be left under them. Looks through all documents once more: what somebody wrote who stood still for a day is sealed again then.
 *
 * @param options.unreadableToo although there are documents that no key opens, which a backup of the key might
 * @returns the ids of those that are gone
 */
export async function retire(
  options: RotationOptions,
  { unreadableToo }: { readonly unreadableToo: boolean },
): Promise<readonly string[]> {
  const { ring, clock, say } = options;
  const stored = await ring.read();
  const due = stored.body.keys
    .filter((key) => key.state === "previous" && key.settledAtMs !== null && clock() >= erasableAtMs(key))
    .map(({ id }) => id);
  if (due.length === 0) return [];
  await untilAllKnow(options, stored);
  const { unreadable } = await resealAll(options);
  if (unreadable > 0 && !unreadableToo) {
    say(
      `${due.join(", ")} stay: ${unreadable} documents have something that no key opens (keys retire --unreadable-too)`,
    );
    return [];
  }
  const written = await ring.change((keys) => keys.filter(({ id }) => !due.includes(id)));
  if (written === null) return [];
  say(`erased: ${due.join(", ")}`);
  return due;
}

/** Has the key service wrap the ring anew, under the key that it uses now: behind a new `MASTER_KEY`, another KMS key, or another kind of key service. */
export async function rewrapRing(options: RotationOptions): Promise<void> {
  const { ring, say } = options;
  const written = await ring.rewrap();
  if (written === null) throw new StartupError("somebody else changed the key ring at this moment: try again");
  say(`the ring is wrapped by ${written.body.index.by}`);
  await untilAllKnow(options, written);
  say("every replica has opened it: the key before is not needed any more");
}

/** Waits for every process that may be using the ring. Those that are gone without a word count until their lease is over. */
async function untilAllKnow(
  { ring, say, signal, pollMs = 1_000 }: RotationOptions,
  { version }: Stored<Ring>,
): Promise<void> {
  let said = "";
  for (;;) {
    signal.throwIfAborted();
    await ring.refresh();
    const behind = (await ring.readers()).filter(({ knows }) => knows < version);
    if (behind.length === 0) return;
    const until = new Date(Math.max(...behind.map(({ expiresAtMs }) => expiresAtMs))).toISOString();
    const names = [...new Set(behind.map(({ instance }) => instance))].sort().join(", ");
    const line = `waiting for ${names}: until they have read the ring, or, if they are gone, until ${until}`;
    if (line !== said) say(line);
    said = line;
    await sleep(pollMs, undefined, { signal });
  }
}

/** Pass after pass, until one finds nothing to do. */
async function resealAll(options: RotationOptions): Promise<Pick<Resealed, "unreadable">> {
  const { documents, ring, stores, say, signal } = options;
  for (let pass = 1; pass <= passesMax; pass += 1) {
    let [old, unreadable] = [0, 0];
    for (const store of stores) {
      const onProgress = (seen: number) => {
        if (seen > 0 && seen % 10_000 === 0) say(`${store.name}: ${seen} documents so far`);
      };
      const counts = await store.reseal(documents, ring.vault, { write: true, signal, onProgress });
      if (counts.seen > 0) say(`${store.name}: ${counts.seen} documents, ${counts.old} sealed again`);
      if (counts.unreadable > 0) say(`${store.name}: ${counts.unreadable} documents have something that no key opens`);
      old += counts.old;
      unreadable += counts.unreadable;
    }
    if (old === 0) return { unreadable };
  }
  throw new StartupError(`something was left under the key before after ${passesMax} passes: run it again`);
}
