import { concat, u32be, u64be, viewOf } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { limits } from "./limits.ts";
import { isPaddedLength } from "./padding.ts";

/** First byte of a binary frame. 0x12-0x1f, 0x22-0x2f and 0x31-0x3f are reserved for more sealed ones. */
export const recordTypes = Object.freeze({
  handshakeUp: 0x10,
  handshakeDown: 0x11,
  applicationUp: 0x20,
  applicationDown: 0x21,
  group: 0x30,
  messageUp: 0x40,
  messageDown: 0x41,
  /** As `messageUp`, with a head. */
  addressedUp: 0x42,
} as const);

export type UpRecordType = 0x10 | 0x20;
export type DownRecordType = 0x11 | 0x21;
export type RecordType = UpRecordType | DownRecordType;

/** `type1 | generation4 | counter8` upwards, `type1 | generation4 | writer16 | counter8` downwards. */
export type RecordHeader =
  | { readonly type: UpRecordType; readonly generation: number; readonly counter: number }
  | {
      readonly type: DownRecordType;
      readonly generation: number;
      readonly writer: Uint8Array;
      readonly counter: number;
    };

export type SealedRecord = RecordHeader & {
  /** The bytes as received: the AEAD's additional data. */
  readonly header: Uint8Array;
  /** Padded plaintext and tag. */
  readonly ciphertext: Uint8Array;
};

const writerBytes = 16;
const tagBytes = 16;
const upHeaderBytes = 13;
const downHeaderBytes = upHeaderBytes + writerBytes;

/** @throws {RangeError} on a counter that no key may reach, or a writer that is not 16 bytes. */
export function encodeRecordHeader(header: RecordHeader): Uint8Array {
  if (header.counter >= limits.recordsPerKey) throw new RangeError("counter is past the key's life");
  const start = concat(Uint8Array.of(header.type), u32be(header.generation));
  if (!("writer" in header)) return concat(start, u64be(header.counter));
  if (header.writer.length !== writerBytes) throw new RangeError("a writer id has 16 bytes");
  return concat(start, header.writer, u64be(header.counter));
}

/**
 * The layout only. Whoever reads checks direction, generation and the order of counters.
 *
 * @throws {ProtocolError} `malformed`; `too-large`; `out-of-order` on a reserved or plain type.
 */
export function parseRecord(bytes: Uint8Array): SealedRecord {
  const type = bytes[0];
  if (type === undefined) throw new ProtocolError("malformed", "record");
  if (type !== 0x10 && type !== 0x11 && type !== 0x20 && type !== 0x21) {
    throw new ProtocolError("out-of-order", "record.type");
  }
  const down = type === 0x11 || type === 0x21;
  const headerBytes = down ? downHeaderBytes : upHeaderBytes;
  const handshake = type === 0x10 || type === 0x11;
  const plaintextBytesMax = handshake ? limits.handshakePlaintextBytes : limits.applicationPlaintextBytes;
  if (bytes.length > headerBytes + plaintextBytesMax + tagBytes) throw new ProtocolError("too-large", "record");
  if (!isPaddedLength(bytes.length - headerBytes - tagBytes)) throw new ProtocolError("malformed", "record.ciphertext");
  const view = viewOf(bytes);
  const counter = view.getBigUint64(headerBytes - 8);
  if (counter >= BigInt(limits.recordsPerKey)) throw new ProtocolError("malformed", "record.counter");
  const common = {
    generation: view.getUint32(1),
    counter: Number(counter),
    header: bytes.slice(0, headerBytes),
    ciphertext: bytes.slice(headerBytes),
  };
  return down ? { type, writer: bytes.slice(5, 5 + writerBytes), ...common } : { type, ...common };
}
