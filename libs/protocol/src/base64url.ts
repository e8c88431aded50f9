import { ProtocolError } from "./errors.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const sextets = new Int8Array(128).fill(-1);
for (let index = 0; index < alphabet.length; index++) sextets[alphabet.charCodeAt(index)] = index;

/** RFC 4648 section 5, without padding. */
function encode(bytes: Uint8Array): string {
  let text = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const group = ((bytes[index] ?? 0) << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    text += alphabet.charAt(group >>> 18) + alphabet.charAt((group >>> 12) & 63);
    if (index + 1 < bytes.length) text += alphabet.charAt((group >>> 6) & 63);
    if (index + 2 < bytes.length) text += alphabet.charAt(group & 63);
  }
  return text;
}

/**
 * One text for each byte string (RFC 4648 section 3.5): no padding, no white space, unused bits zero. Otherwise two texts of
 * one transcript could differ unseen.
 *
 * @throws {ProtocolError} `malformed`, naming `field`.
 */
function decode(text: string, field = "base64url"): Uint8Array {
  const rest = text.length % 4;
  if (rest === 1) throw new ProtocolError("malformed", field);
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4));
  let buffer = 0;
  let bits = 0;
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const value = unit < 128 ? (sextets[unit] ?? -1) : -1;
    if (value < 0) throw new ProtocolError("malformed", field);
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[length++] = (buffer >>> bits) & 0xff;
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) throw new ProtocolError("malformed", field);
  return bytes;
}

export const base64url = Object.freeze({ encode, decode });
