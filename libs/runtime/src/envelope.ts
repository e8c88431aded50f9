import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import type { Random } from "./ids.ts";

/**
 * Envelope for secrets at rest.
 *
 *     root    = HKDF-SHA256(ikm key, info "portcullis/vault/1 root" 00 purpose)
 *     id      = HKDF-SHA256(ikm key, info "id"), first 4 bytes
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
export interface Root {
  /** 8 hexadecimal digits: in the header of whatever is sealed under it. */
  readonly id: string;
  /** 32 bytes. Whoever made it fills it with zeros in the end. */
  readonly bytes: Uint8Array;
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

/**
 * @param key 32 bytes. Only what is derived is kept of it.
 * @param purpose separates services that were given the same key: what one seals, no other opens. Not empty.
 * @throws {TypeError} on a key of another length or an empty purpose.
 */
export function rootOf(key: Uint8Array, purpose: string): Root {
  if (key.length !== keyBytes) throw new TypeError(`a key has ${keyBytes} bytes`);
  const id = Buffer.from(derive(key, "", "id", idBytes)).toString("hex");
  return { id, bytes: derive(key, "", labelled("root", named(purpose, "purpose")), keyBytes) };
}

/** @returns 53 bytes more than the plaintext (at most 1 MiB). */
export function sealUnder(root: Root, plaintext: Uint8Array, context: string, random: Random): Uint8Array {
  const place = named(context, "context");
  if (plaintext.length > plaintextBytesMax) throw new RangeError(`a secret has at most ${plaintextBytesMax} bytes`);
  const salt = random(saltBytes);
  if (salt.length !== saltBytes) throw new RangeError("the random source ran dry");
  const header = Buffer.concat([Uint8Array.of(version), Buffer.from(root.id, "hex"), salt]);
  const { key, iv } = wrapKey(root, salt);
  const cipher = createCipheriv("aes-256-gcm", key, iv, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.concat([header, place]));
  return new Uint8Array(Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
}

/** @throws {VaultError} whatever the reason: wrong key, wrong context, altered, cut. */
export function openUnder(roots: readonly Root[], wrapped: Uint8Array, context: string): Uint8Array {
  const place = named(context, "context");
  const id = rootIdIn(wrapped);
  // Four bytes may collide, so every root of that id is tried; the tag decides.
  for (const root of roots) {
    const plaintext = root.id === id ? open(root, wrapped, place) : null;
    if (plaintext !== null) return plaintext;
  }
  throw new VaultError();
}

/** Null where it is no envelope. Says nothing on whether it opens. */
export function rootIdIn(wrapped: Uint8Array): string | null {
  if (wrapped.length < headerBytes + tagBytes || wrapped[0] !== version) return null;
  return Buffer.from(wrapped.subarray(1, 1 + idBytes)).toString("hex");
}

/** 32 bytes for an HMAC. */
export function subkeyOf(root: Root, label: string): Uint8Array {
  return derive(root.bytes, "", labelled("subkey", named(label, "label")), keyBytes);
}

function open(root: Root, wrapped: Uint8Array, place: Uint8Array): Uint8Array | null {
  const header = wrapped.subarray(0, headerBytes);
  const { key, iv } = wrapKey(root, header.subarray(1 + idBytes));
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

function wrapKey(root: Root, salt: Uint8Array): { readonly key: Uint8Array; readonly iv: Uint8Array } {
  const both = derive(root.bytes, salt, "portcullis/vault/1 wrap", keyBytes + ivBytes);
  return { key: both.subarray(0, keyBytes), iv: both.subarray(keyBytes) };
}

function derive(ikm: Uint8Array, salt: Uint8Array | string, info: Uint8Array | string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", ikm, salt, info, bytes));
}

function labelled(use: string, name: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`portcullis/vault/1 ${use}\0`), name]);
}

/** Lone surrogates all encode to the same bytes, so two different contexts could become one. */
function named(text: string, what: string): Uint8Array {
  if (text === "" || !text.isWellFormed()) throw new TypeError(`the ${what} must be well-formed text, not empty`);
  return Buffer.from(text, "utf8");
}
