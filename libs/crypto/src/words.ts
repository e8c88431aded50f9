import { base64url } from "@portcullis/protocol";
import { wordlist } from "@scure/bip39/wordlists/english.js";
import { CryptoError } from "./errors.ts";

const wordCount = 6;
const bitsPerWord = 11;

/**
 * The first 66 bits as words that people can read to each other, of the list of BIP-39, no two words of which begin with the same four
 * letters. Enough against somebody who would have to find another value with the same words while they are looked at. Those of a key can be sought for years: programs compare
 * all of a fingerprint.
 *
 * @param bytes at least 9
 */
export function wordsOf(bytes: Uint8Array): string {
  if (bytes.length * 8 < wordCount * bitsPerWord) throw new CryptoError("key");
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  const words = Array.from({ length: wordCount }, (_, index) => {
    const shift = BigInt(bytes.length * 8 - (index + 1) * bitsPerWord);
    return wordlist[Number((bits >> shift) & 2047n)] ?? "";
  });
  return words.join(" ");
}

/** The words of a server's identity. @param fingerprint 22 characters of base64url. @throws {ProtocolError} on another text */
export function fingerprintWords(fingerprint: string): string {
  return wordsOf(base64url.decode(fingerprint));
}
