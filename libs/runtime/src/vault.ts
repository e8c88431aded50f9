import { openUnder, type Root, rootIdIn, rootOf, sealUnder, subkeyOf } from "./envelope.ts";
import { type Random, systemRandom } from "./ids.ts";

/** Secrets at rest, in the envelope of `envelope.ts`, under data keys that may be replaced while it is used. */
export interface Vault {
  /**
   * @param context names the place of the secret, for example `members/{id}/secret`; not stored. Not empty.
   * @returns 53 bytes more than the plaintext (at most 1 MiB).
   * @throws {VaultShutError}
   */
  wrap(plaintext: Uint8Array, context: string): Uint8Array;
  /** @throws {VaultError} whatever the reason: wrong key, wrong context, altered, cut. @throws {VaultShutError} */
  unwrap(wrapped: Uint8Array, context: string): Uint8Array;
  /** Whether it was wrapped under the current data key; if not, wrap it anew. Says nothing on whether it opens. */
  isCurrent(wrapped: Uint8Array): boolean;
  /** 32 bytes for an HMAC. The same label gives the same bytes on every replica, whatever data key is current: what is found by an HMAC stays found. */
  subkey(label: string): Uint8Array;
}

/** What a vault works with at this moment. */
export interface VaultKeys {
  readonly current: Root;
  /** Still open what they wrapped, or will wrap soon; never wrap. */
  readonly others: readonly Root[];
  /** For subkeys only. It is not replaced with the others. */
  readonly index: Root;
}

/** The keys are not in memory: nothing is wrong with what is stored, and it will open when they are back. */
export class VaultShutError extends Error {
  override readonly name = "VaultShutError";
  readonly code = "vault_shut";
  constructor() {
    super("the data keys are not in memory");
  }
}

/** @param keys is asked for each call; throws `VaultShutError` where there are none. */
export function createVault(keys: () => VaultKeys, random: Random = systemRandom): Vault {
  return {
    wrap: (plaintext, context) => sealUnder(keys().current, plaintext, context, random),
    unwrap(wrapped, context) {
      const { current, others } = keys();
      return openUnder([current, ...others], wrapped, context);
    },
    isCurrent: (wrapped) => rootIdIn(wrapped) === keys().current.id,
    subkey: (label) => subkeyOf(keys().index, label),
  };
}

/**
 * @param key 32 bytes: wraps, and makes subkeys.
 * @returns keys that never change. Not for a deployment: where one key does both, it cannot be replaced.
 */
export function fixedKeys(key: Uint8Array, purpose: string, previous: readonly Uint8Array[] = []): () => VaultKeys {
  const current = rootOf(key, purpose);
  const keys = { current, others: previous.map((each) => rootOf(each, purpose)), index: current };
  return () => keys;
}

/**
 * What is opened where there is nothing, so that it takes as long: sealed again whenever another key is current, because it would not open any more when the one before is
 * retired, and refusing it would take less time.
 */
export function createDecoy(vault: Vault, make: () => Uint8Array, context: string): () => Uint8Array {
  let sealed = vault.wrap(make(), context);
  return () => {
    if (!vault.isCurrent(sealed)) sealed = vault.wrap(make(), context);
    return sealed;
  };
}
