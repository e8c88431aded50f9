import { concat, utf8 } from "@portcullis/protocol";

/** `n` unpredictable bytes. */
export type Random = (length: number) => Uint8Array;

export const secureRandom: Random = (length) => crypto.getRandomValues(new Uint8Array(length));

const zero = Uint8Array.of(0);
const hashBytes = 32;

/** "portcullis/1 " ‖ label ‖ 00: everything hashed, signed or derived says what for. */
export function L(label: string): Uint8Array {
  return concat(utf8(`portcullis/1 ${label}`), zero);
}

/** SHA-256 of the parts in a row. */
export async function H(...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
}

async function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const imported = await crypto.subtle.importKey("raw", concat(key), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, concat(...parts)));
}

/** HKDF-Extract (RFC 5869 section 2.2). WebCrypto's HKDF always does both halves, so HMAC is used. */
export function extract(salt: Uint8Array, ikm: Uint8Array): Promise<Uint8Array> {
  return hmac(salt, ikm);
}

/**
 * Exp(k, label, context, n) = HKDF-Expand(k, L(label) ‖ context, n), RFC 5869 section 2.3.
 *
 * @param key a pseudorandom key of 32 bytes.
 * @param length in bytes, 32 unless told, at most 255 * 32.
 */
export async function expand(
  key: Uint8Array,
  label: string,
  context: Uint8Array = new Uint8Array(),
  length: number = hashBytes,
): Promise<Uint8Array> {
  if (!Number.isInteger(length) || length < 1 || length > 255 * hashBytes) throw new RangeError("no such length");
  const info = concat(L(label), context);
  const output = new Uint8Array(Math.ceil(length / hashBytes) * hashBytes);
  let block: Uint8Array = new Uint8Array();
  for (let index = 1; (index - 1) * hashBytes < length; index++) {
    block = await hmac(key, block, info, Uint8Array.of(index));
    output.set(block, (index - 1) * hashBytes);
  }
  return output.slice(0, length);
}
