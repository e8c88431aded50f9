import { concat, u32be, u64be, viewOf } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { limits } from "./limits.ts";
import { isPaddedLength } from "./padding.ts";
import { recordTypes } from "./record.ts";

/** `30 | epoch4 | step4 | writer16 | counter8`: of a record for everybody on a socket. */
export interface GroupHeader {
  readonly epoch: number;
  /** At most 1024. */
  readonly step: number;
  readonly writer: Uint8Array;
  readonly counter: number;
}

export interface GroupRecord extends GroupHeader {
  /** The bytes as received. */
  readonly header: Uint8Array;
  /** Padded plaintext and tag. */
  readonly ciphertext: Uint8Array;
  /** Ed25519, of the epoch's key. */
  readonly signature: Uint8Array;
}

const writerBytes = 16;
const headerBytes = 33;
const tagBytes = 16;
const signatureBytes = 64;

/** What comes before the counter is what the record's key is derived for. */
export const groupWriterBytes = headerBytes - 8;

/** @throws {RangeError} on a counter that no key may reach, or a writer that is not 16 bytes. */
export function encodeGroupHeader({ epoch, step, writer, counter }: GroupHeader): Uint8Array {
  if (counter >= limits.recordsPerKey) throw new RangeError("counter is past the key's life");
  if (writer.length !== writerBytes) throw new RangeError("a writer id has 16 bytes");
  return concat(Uint8Array.of(recordTypes.group), u32be(epoch), u32be(step), writer, u64be(counter));
}

/**
 * The layout only.
 *
 * @throws {ProtocolError} `malformed`; `too-large`; `out-of-order` on another type.
 */
export function parseGroupRecord(bytes: Uint8Array): GroupRecord {
  if (bytes[0] !== recordTypes.group) throw new ProtocolError("out-of-order", "record.type");
  const sealedBytes = bytes.length - headerBytes - signatureBytes;
  if (sealedBytes > limits.applicationPlaintextBytes + tagBytes) throw new ProtocolError("too-large", "record");
  if (!isPaddedLength(sealedBytes - tagBytes)) throw new ProtocolError("malformed", "record.ciphertext");
  const view = viewOf(bytes);
  const step = view.getUint32(5);
  if (step > limits.epochSteps) throw new ProtocolError("malformed", "record.step");
  const counter = view.getBigUint64(headerBytes - 8);
  if (counter >= BigInt(limits.recordsPerKey)) throw new ProtocolError("malformed", "record.counter");
  return {
    epoch: view.getUint32(1),
    step,
    writer: bytes.slice(9, 9 + writerBytes),
    counter: Number(counter),
    header: bytes.slice(0, headerBytes),
    ciphertext: bytes.slice(headerBytes, headerBytes + sealedBytes),
    signature: bytes.slice(headerBytes + sealedBytes),
  };
}
