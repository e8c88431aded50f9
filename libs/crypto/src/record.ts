import {
  concat,
  encodeRecordHeader,
  limits,
  pad,
  parseRecord,
  type RecordHeader,
  type SealedRecord,
  u64be,
  unpad,
} from "@portcullis/protocol";
import { expand } from "./derive.ts";
import { CryptoError } from "./errors.ts";

/** C→S Exp(secret, "key"); S→C Exp(secret, "w", writer): replicas that share a secret never share a key. */
async function recordKey(secret: Uint8Array, header: RecordHeader, usage: "encrypt" | "decrypt") {
  const raw = "writer" in header ? await expand(secret, "w", header.writer) : await expand(secret, "key");
  return aeadKey(raw, usage);
}

export function aeadKey(raw: Uint8Array, usage: "encrypt" | "decrypt") {
  return crypto.subtle.importKey("raw", concat(raw), "AES-GCM", false, [usage]);
}

/** u32(0) ‖ u64(counter). */
export const nonceOf = (counter: number): Uint8Array => concat(new Uint8Array(4), u64be(counter));

/**
 * Seals and pads. Stateless: the caller owns the counter and must never seal two plaintexts under one (a repeated step sends
 * the stored bytes again).
 *
 * @param options.secret the direction's secret, 32 bytes.
 * @param options.plaintext JSON bytes, unpadded.
 * @returns the binary frame.
 * @throws {CryptoError} `counter` past 2^23 records, where AES-GCM's bounds would be left.
 */
export async function sealRecord(
  options: RecordHeader & { readonly secret: Uint8Array; readonly plaintext: Uint8Array },
): Promise<Uint8Array> {
  if (!Number.isInteger(options.counter) || options.counter < 0 || options.counter >= limits.recordsPerKey) {
    throw new CryptoError("counter");
  }
  const header = encodeRecordHeader(options);
  const key = await recordKey(options.secret, options, "encrypt");
  const sealed = await crypto.subtle.encrypt(
    { name: "AES-GCM", iv: concat(nonceOf(options.counter)), additionalData: concat(header) },
    key,
    concat(pad(options.plaintext)),
  );
  return concat(header, new Uint8Array(sealed));
}

/**
 * Opens and unpads. The caller checks type, generation and counter against what it expects, before or after.
 *
 * @param options.record a frame, or what `parseRecord` made of it.
 * @throws {CryptoError} `record`, whatever is wrong inside
 * @throws {ProtocolError} where a frame has not the layout
 */
export async function openRecord(options: {
  readonly secret: Uint8Array;
  readonly record: Uint8Array | SealedRecord;
}): Promise<Uint8Array> {
  const record = options.record instanceof Uint8Array ? parseRecord(options.record) : options.record;
  try {
    const key = await recordKey(options.secret, record, "decrypt");
    const padded = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: concat(nonceOf(record.counter)), additionalData: concat(record.header) },
      key,
      concat(record.ciphertext),
    );
    return unpad(new Uint8Array(padded));
  } catch {
    throw new CryptoError("record");
  }
}
