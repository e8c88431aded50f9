import { concat, u32be, viewOf } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";

const lengthBytes = 4;

/** 256, 1024, 4096, then multiples of 4096: whoever counts bytes learns the bucket. */
export function paddedLength(length: number): number {
  const needed = length + lengthBytes;
  if (needed <= 256) return 256;
  if (needed <= 1024) return 1024;
  return Math.ceil(needed / 4096) * 4096;
}

/** True for lengths that `pad` can yield. */
export function isPaddedLength(length: number): boolean {
  return length === 256 || length === 1024 || (length > 0 && length % 4096 === 0);
}

/** u32be(length) ‖ bytes ‖ zeros. */
export function pad(bytes: Uint8Array): Uint8Array {
  const padded = paddedLength(bytes.length);
  return concat(u32be(bytes.length), bytes, new Uint8Array(padded - lengthBytes - bytes.length));
}

/**
 * Only what `pad` yields: the smallest bucket and zeros to its end, so that a plaintext has one padded form and the rest
 * carries nothing unseen.
 *
 * @throws {ProtocolError} `malformed`.
 */
export function unpad(padded: Uint8Array): Uint8Array {
  if (padded.length < lengthBytes) throw new ProtocolError("malformed", "padding");
  const length = viewOf(padded).getUint32(0);
  if (length + lengthBytes > padded.length || paddedLength(length) !== padded.length) {
    throw new ProtocolError("malformed", "padding");
  }
  let rest = 0;
  for (let index = lengthBytes + length; index < padded.length; index++) rest |= padded[index] ?? 0;
  if (rest !== 0) throw new ProtocolError("malformed", "padding");
  return padded.slice(lengthBytes, lengthBytes + length);
}
