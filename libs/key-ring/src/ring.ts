import { createHmac, timingSafeEqual } from "node:crypto";
import { wrappedLengthMax } from "@portcullis/kms";
import { type Root, subkeyOf } from "@portcullis/runtime";
import { z } from "zod";

const epochMs = z.number().int().nonnegative();

/** What an operator is shown, and who writes to the store or answers as a key service could choose: nothing that a terminal obeys. */
export const shownText = (max: number) =>
  z
    .string()
    .regex(/^[\x20-\x7e]*$/)
    .max(max);

const wrapped = {
  wrapped: z.string().min(1).max(wrappedLengthMax),
  /** By which key of the key service. For people. */
  by: shownText(2048),
};

/**
 * A data key on its way: `next` is known to replicas and wraps nothing; `current` wraps; `previous` opens what it wrapped, until nothing is left of that.
 */
const entry = z.strictObject({
  /** 8 hexadecimal digits, derived from the key: in the header of whatever is sealed under it. */
  id: z.string().regex(/^[0-9a-f]{8}$/),
  state: z.enum(["next", "current", "previous"]),
  madeAtMs: epochMs,
  /** When it came into this state. */
  sinceMs: epochMs,
  /** Of a previous one: when all documents were found to be under another. Null before. */
  settledAtMs: epochMs.nullable(),
  ...wrapped,
});
export type Entry = z.infer<typeof entry>;

export const keysMax = 8;

/** A service's keys, in one document: each step of a rotation is one write that happens whole or not at all. */
export const ringSchema = z
  .strictObject({
    keys: z.array(entry).min(1).max(keysMax),
    /** For HMACs. Not replaced with data keys: what is found by an HMAC could not be found any more. */
    index: z.strictObject(wrapped),
    /** HMAC of keys and states under the index secret, base64url. */
    mac: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  })
  .refine(({ keys }) => count(keys, "current") === 1 && count(keys, "next") <= 1, "one key is current, one may be next")
  .refine(({ keys }) => new Set(keys.map(({ id }) => id)).size === keys.length, "no id is there twice");
export type Ring = z.infer<typeof ringSchema>;
interface Keys {
  readonly keys: readonly Entry[];
}

export const indexId = "index";

function count(keys: readonly Entry[], state: Entry["state"]): number {
  return keys.filter((key) => key.state === state).length;
}

export function currentOf({ keys }: Keys): Entry {
  const current = keys.find(({ state }) => state === "current");
  if (current === undefined) throw new TypeError("a ring without a current key");
  return current;
}

export function nextOf({ keys }: Keys): Entry | null {
  return keys.find(({ state }) => state === "next") ?? null;
}

/** What a MAC says of a key: its id has four bytes, and another key of that id is found by trying. */
export function printOf(key: Root): string {
  return Buffer.from(subkeyOf(key, "key-ring print")).toString("base64url");
}

/**
 * Whoever can write to the store could otherwise have a key come back that was replaced because somebody else has it; and who may wrap by the key service besides, but not open, could put a key of their own in a
 * place of the ring. (An older ring as a whole, MAC and all, still is what it was: against that nothing in the same store helps.)
 *
 * @param print `printOf` the key of this id
 */
export function macOf(index: Root, service: string, { keys }: Keys, print: (id: string) => string): string {
  const text = JSON.stringify([
    service,
    keys.map(({ id, state, sinceMs, settledAtMs }) => [id, print(id), state, sinceMs, settledAtMs]),
  ]);
  return createHmac("sha256", subkeyOf(index, "key-ring")).update(text).digest("base64url");
}

export function isGenuine(index: Root, service: string, ring: Ring, print: (id: string) => string): boolean {
  const [given, expected] = [Buffer.from(ring.mac), Buffer.from(macOf(index, service, ring, print))];
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The next key is current, and the one that was is previous. */
export function switched(keys: readonly Entry[], nowMs: number): Entry[] {
  return keys.map((key) => {
    if (key.state === "next") return { ...key, state: "current", sinceMs: nowMs };
    if (key.state === "current") return { ...key, state: "previous", sinceMs: nowMs };
    return key;
  });
}

export function settled(keys: readonly Entry[], ids: readonly string[], nowMs: number): Entry[] {
  return keys.map((key) => (ids.includes(key.id) ? { ...key, settledAtMs: key.settledAtMs ?? nowMs } : key));
}
