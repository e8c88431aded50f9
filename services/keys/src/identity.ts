import { setTimeout as sleep } from "node:timers/promises";
import { fingerprint, generateIdentity, type Identity, importIdentity } from "@portcullis/crypto";
import {
  type Collection,
  type CollectionDefinition,
  type Documents,
  DuplicateError,
  type Stored,
} from "@portcullis/documents";
import { sealedStore } from "@portcullis/key-ring";
import { type Succession, successionsMax } from "@portcullis/protocol";
import { type Clock, type Logger, StartupError, type Vault } from "@portcullis/runtime";
import { z } from "zod";

const bytes = z.string().regex(/^[A-Za-z0-9_-]{43,86}$/);
const seconds = z.number().int().nonnegative();
const stored = z.strictObject({
  seedSealed: z.string(),
  createdAtMs: z.number().int(),
  /** How this key came after others, oldest first. The seeds of those are gone: their last word was said. */
  successions: z
    .array(z.strictObject({ key: bytes, from: seconds, until: seconds, sig: bytes }))
    .max(successionsMax)
    .optional(),
});
export type StoredIdentity = z.infer<typeof stored>;
export type IdentityCollection = Collection<StoredIdentity>;

export const currentId = "current";
const place = "server-identity";

/** What the server is now. */
export interface ServerIdentity {
  readonly identity: Identity;
  /** Those that still count for a client: what is over is left out. */
  readonly successions: readonly Succession[];
  /** What new app keys pin. */
  readonly pin: string;
  /** Fingerprints of all keys that some client takes for this server. */
  readonly fingerprints: readonly string[];
}

export interface IdentitySource {
  /** Read again every two seconds, as far as the store answers in time, so that all replicas change over together; the same object for as long as nothing changed. */
  current(): Promise<ServerIdentity>;
}

const rereadMs = 2_000;
/** Less than anybody waits who asks for a bundle: a store that stands still, and does not even refuse, must not keep edges without one. */
const readingMsMax = 500;
/** Bundles of the key before are shown for so long by edges that hold one: a client that pinned the new key would refuse them. */
const pinDelayMs = 90_000;

const definition: CollectionDefinition<StoredIdentity> = { name: "keys_identity", schema: stored, indexes: [] };

export const sealedIdentity = sealedStore(definition, ({ body }, again) => ({
  ...body,
  seedSealed: again(body.seedSealed, place),
}));

export function openIdentities(documents: Documents): Promise<IdentityCollection> {
  return documents.collection(definition);
}

/**
 * The server's long-lived signing key: one for the deployment, made by whichever replica starts first. Every app key pins its
 * fingerprint, so it must never change by accident: a stored one that does not open is an error, never a reason for a new one. `rotate` changes it.
 *
 * @throws {StartupError} it does not open.
 */
export async function openIdentity(
  documents: Documents,
  vault: Vault,
  clock: Clock,
  log: Pick<Logger, "error">,
): Promise<IdentitySource> {
  const collection = await openIdentities(documents);
  await makeFirst(collection, vault, clock);
  let version = 0;
  let opened = await read();
  let readAtMs = clock();
  let reading: Promise<void> | null = null;

  async function read(): Promise<Opened> {
    const found = await collection.get(currentId);
    if (found === null) throw new Error("the server identity vanished");
    if (found.version === version) return opened;
    const next = { identity: await openSeed(vault, found.body.seedSealed), successions: successionsOf(found) };
    version = found.version;
    return next;
  }

  /** A store that is away for a moment is no reason to have no identity. */
  async function reread(): Promise<void> {
    try {
      opened = await read();
    } catch (error) {
      log.error("the server identity could not be read again: it stays what it was", {}, error);
    }
    readAtMs = clock();
  }

  return {
    async current() {
      const now = clock();
      if (now - readAtMs >= rereadMs || now < readAtMs) {
        reading ??= reread().finally(() => {
          reading = null;
        });
        await Promise.race([reading, sleep(readingMsMax, undefined, { ref: false })]);
      }
      return standing(opened, clock());
    },
  };
}

interface Opened {
  readonly identity: Identity;
  readonly successions: readonly Succession[];
}

const known = new WeakMap<Opened, ServerIdentity>();

async function standing(opened: Opened, nowMs: number): Promise<ServerIdentity> {
  const { identity } = opened;
  const successions = stillCounting(opened.successions, nowMs);
  const last = successions.at(-1);
  const isFresh = last !== undefined && nowMs < last.from * 1000 + pinDelayMs;
  const before = known.get(opened);
  const prints = await Promise.all(successions.map(({ key }) => fingerprint(key)));
  const pin = isFresh ? (prints.at(-1) ?? identity.fingerprint) : identity.fingerprint;
  if (before?.successions.length === successions.length && before.pin === pin) return before;
  const now = { identity, successions, pin, fingerprints: [...prints, identity.fingerprint] };
  known.set(opened, now);
  return now;
}

/** Whoever pins a key from before one that is over gets no further. */
export function stillCounting(successions: readonly Succession[], nowMs: number): readonly Succession[] {
  const over = successions.findLastIndex(({ until }) => nowMs >= until * 1000);
  return successions.slice(over + 1);
}

export function successionsOf({ body }: Stored<StoredIdentity>): readonly Succession[] {
  return (body.successions ?? []).map(({ key, sig, ...term }) => ({ ...term, key: fromText(key), sig: fromText(sig) }));
}

export function sealSeed(vault: Vault, seed: Uint8Array): string {
  return Buffer.from(vault.wrap(seed, place)).toString("base64url");
}

async function makeFirst(collection: IdentityCollection, vault: Vault, clock: Clock): Promise<void> {
  if ((await collection.get(currentId)) !== null) return;
  const { seed } = await generateIdentity();
  const seedSealed = sealSeed(vault, seed);
  seed.fill(0);
  try {
    await collection.insert(currentId, { seedSealed, createdAtMs: clock() });
  } catch (error) {
    // Another replica was faster: its identity is the deployment's.
    if (!(error instanceof DuplicateError)) throw error;
  }
}

/** @throws {StartupError} it does not open */
export async function openSeed(vault: Vault, seedSealed: string): Promise<Identity> {
  let seed: Uint8Array;
  try {
    seed = vault.unwrap(Buffer.from(seedSealed, "base64url"), place);
  } catch (cause) {
    throw new StartupError(
      "the stored server identity does not open: it was made under another master key, or it is damaged. Put back what belongs together; a new identity would be another server to everybody who holds an app key",
      { cause },
    );
  }
  const identity = await importIdentity(seed);
  seed.fill(0);
  return identity;
}

function fromText(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64url"));
}
