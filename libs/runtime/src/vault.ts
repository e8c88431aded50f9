import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { type Random, systemRandom } from "./ids.ts";

/**
 * Envelope for secrets at rest.
 *
 *     root    = HKDF-SHA256(ikm master key, info "portcullis/vault/1 root" 00 purpose)
 *     id      = HKDF-SHA256(ikm master key, info "id"), first 4 bytes
 *     key, iv = HKDF-SHA256(ikm root, salt, info "portcullis/vault/1 wrap"), 32 + 12 bytes
 *     header  = version 01 | id | salt (32 random bytes)
 *     wrapped = header | AES-256-GCM(key, iv, plaintext, AAD header | context) with its 16-byte tag
 *
 * Why a key per wrap: with one long-lived key and random 96-bit nonces, GCM must stop after 2^32 messages (NIST SP 800-38D
 * section 8.3), a count that no replica can keep alone. A fresh 256-bit salt per wrap makes key *and* nonce new each time,
 * so there is nothing to count.
 *
 * Why the context: whoever can write to the database but lacks the key could otherwise move one row's secret into another.
 */
export interface Vault {
  /**
   * @param context names the place of the secret, for example `members/{id}/secret`; not stored. Not empty.
   * @returns 53 bytes more than the plaintext (at most 1 MiB).
   */
  wrap(plaintext: Uint8Array, context: string): Uint8Array;
  /** @throws {VaultError} whatever the reason: wrong key, wrong context, altered, cut. */
  unwrap(wrapped: Uint8Array, context: string): Uint8Array;
  /** Whether it was wrapped under the current master key; if not, wrap it anew. Says nothing on whether it opens. */
  isCurrent(wrapped: Uint8Array): boolean;
  /** 32 bytes for an HMAC. The same label, purpose and master key give the same bytes on every replica. */
  subkey(label: string): Uint8Array;
  /** `subkey` under the current and then under each previous master key: a lookup by HMAC has to try all of them. */
  subkeys(label: string): readonly Uint8Array[];
}

export interface VaultOptions {
  /** 32 bytes. */
  readonly masterKey: Uint8Array;
  /** Separates services that share a master key: what one wraps, no other opens. Not empty. */
  readonly purpose: string;
  /** Still open what they wrapped, never wrap. Default none; at most 8. */
  readonly previousMasterKeys?: readonly Uint8Array[];
  readonly random?: Random;
}

/** Carries no detail on purpose: which check failed is of use to nobody but an attacker. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code = "vault_sealed";
  constructor() {
    super("the stored secret cannot be opened");
  }
}

const version = 1;
const keyBytes = 32;
const ivBytes = 12;
const idBytes = 4;
const saltBytes = 32;
const tagBytes = 16;
const headerBytes = 1 + idBytes + saltBytes;
const plaintextBytesMax = 1024 * 1024;
const previousKeysMax = 8;

interface Ring {
  readonly id: Uint8Array;
  readonly root: Uint8Array;
}

/** @throws {TypeError} on a key of another length or an empty purpose. */
export function createVault(options: VaultOptions): Vault {
  const { masterKey, previousMasterKeys = [], random = systemRandom } = options;
  const purpose = named(options.purpose, "purpose");
  if (previousMasterKeys.length > previousKeysMax)
    throw new TypeError(`at most ${previousKeysMax} previous master keys`);
  // Only what is derived is kept: the vault does not hold the master keys themselves.
  const current = ringOf(masterKey, purpose);
  const rings = [current, ...previousMasterKeys.map((key) => ringOf(key, purpose))];

  return {
    wrap(plaintext, context) {
      const place = named(context, "context");
      if (plaintext.length > plaintextBytesMax) throw new RangeError(`a secret has at most ${plaintextBytesMax} bytes`);
      const salt = random(saltBytes);
      if (salt.length !== saltBytes) throw new RangeError("the random source ran dry");
      const header = Buffer.concat([Uint8Array.of(version), current.id, salt]);
      const { key, iv } = wrapKey(current.root, salt);
      const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.concat([header, place]));
      return new Uint8Array(Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
    },

    unwrap(wrapped, context) {
      const place = named(context, "context");
      const id = idIn(wrapped);
      if (id === null) throw new VaultError();
      // Four bytes may collide, so every ring of that id is tried; the tag decides.
      for (const ring of rings) {
        if (!sameBytes(ring.id, id)) continue;
        const plaintext = open(ring, wrapped, place);
        if (plaintext !== null) return plaintext;
      }
      throw new VaultError();
    },

    isCurrent(wrapped) {
      const id = idIn(wrapped);
      return id !== null && sameBytes(current.id, id);
    },

    subkey: (label) => subkeyOf(current, label),
    subkeys: (label) => rings.map((ring) => subkeyOf(ring, label)),
  };
}

function open(ring: Ring, wrapped: Uint8Array, place: Uint8Array): Uint8Array | null {
  const header = wrapped.subarray(0, headerBytes);
  const { key, iv } = wrapKey(ring.root, header.subarray(1 + idBytes));
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes });
  decipher.setAAD(Buffer.concat([header, place]));
  decipher.setAuthTag(wrapped.subarray(wrapped.length - tagBytes));
  const text = decipher.update(wrapped.subarray(headerBytes, wrapped.length - tagBytes));
  try {
    return new Uint8Array(Buffer.concat([text, decipher.final()]));
  } catch {
    return null;
  }
}

function ringOf(masterKey: Uint8Array, purpose: Uint8Array): Ring {
  if (masterKey.length !== keyBytes) throw new TypeError(`a master key has ${keyBytes} bytes`);
  return { id: derive(masterKey, "", "id", idBytes), root: derive(masterKey, "", labelled("root", purpose), keyBytes) };
}

function subkeyOf(ring: Ring, label: string): Uint8Array {
  return derive(ring.root, "", labelled("subkey", named(label, "label")), keyBytes);
}

function wrapKey(root: Uint8Array, salt: Uint8Array): { readonly key: Uint8Array; readonly iv: Uint8Array } {
  const both = derive(root, salt, "portcullis/vault/1 wrap", keyBytes + ivBytes);
  return { key: both.subarray(0, keyBytes), iv: both.subarray(keyBytes) };
}

function derive(ikm: Uint8Array, salt: Uint8Array | string, info: Uint8Array | string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", ikm, salt, info, bytes));
}

function labelled(use: string, name: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`portcullis/vault/1 ${use}\0`), name]);
}

function idIn(wrapped: Uint8Array): Uint8Array | null {
  if (wrapped.length < headerBytes + tagBytes || wrapped[0] !== version) return null;
  return wrapped.subarray(1, 1 + idBytes);
}

/** Lone surrogates all encode to the same bytes, so two different contexts could become one. */
function named(text: string, what: string): Uint8Array {
  if (text === "" || !text.isWellFormed()) throw new TypeError(`the ${what} must be well-formed text, not empty`);
  return Buffer.from(text, "utf8");
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
