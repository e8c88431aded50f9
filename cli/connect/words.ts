import { base64url } from "@portcullis/protocol";
import { wordlist } from "@scure/bip39/wordlists/english.js";

const wordCount = 6;
const bitsPerWord = 11;

/**
 * The beginning of a server's fingerprint as words that people can read to each other: 66 bits, of the list of BIP-39, no two words of which begin with the
 * same four letters. Enough against somebody who would have to find another key with the same words while they are looked at; the whole
 * fingerprint is what the app key pins.
 *
 * @param fingerprint 22 characters of base64url
 */
export function wordsOf(fingerprint: string): string {
  let bits = 0n;
  const bytes = base64url.decode(fingerprint);
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  const words = Array.from({ length: wordCount }, (_, index) => {
    const shift = BigInt(bytes.length * 8 - (index + 1) * bitsPerWord);
    return wordlist[Number((bits >> shift) & 2047n)] ?? "";
  });
  return words.join(" ");
}
