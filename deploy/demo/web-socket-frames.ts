/** One direction of one connection, taken apart (RFC 9112 for the upgrade, RFC 6455 section 5 for what follows). */
export interface Flow {
  /** Request or response of the upgrade. */
  readonly head: Buffer;
  /** Text and binary messages, unmasked, their fragments joined. The last one may be cut off. */
  readonly messages: readonly Buffer[];
  /** Payloads of close, ping and pong, unmasked. */
  readonly control: readonly Buffer[];
}

interface Frame {
  readonly isFinal: boolean;
  readonly opcode: number;
  readonly payload: Buffer;
  readonly end: number;
}

const headEnd = "\r\n\r\n";
const firstControlOpcode = 8;

/** Never throws: a connection may have broken anywhere, and what there is of it is still to be read. */
export function takeApart(bytes: Buffer): Flow {
  const blank = bytes.indexOf(headEnd);
  if (blank === -1) return { head: bytes, messages: [], control: [] };
  const start = blank + headEnd.length;
  const messages: Buffer[] = [];
  const control: Buffer[] = [];
  let fragments: Buffer[] = [];
  for (let at = start; at < bytes.length; ) {
    const { isFinal, opcode, payload, end } = readFrame(bytes, at);
    at = end;
    if (opcode >= firstControlOpcode) {
      control.push(payload);
      continue;
    }
    fragments.push(payload);
    if (!isFinal) continue;
    messages.push(Buffer.concat(fragments));
    fragments = [];
  }
  if (fragments.length > 0) messages.push(Buffer.concat(fragments));
  return { head: bytes.subarray(0, start), messages, control };
}

/** Bytes that are missing at the end count as zero in the header, and make the payload shorter. */
function readFrame(bytes: Buffer, start: number): Frame {
  let at = start;
  const take = (length: number) => {
    const taken = Buffer.alloc(length);
    bytes.copy(taken, 0, at, at + length);
    at += length;
    return taken;
  };
  const [first = 0, second = 0] = take(2);
  const short = second & 0x7f;
  const length = short === 126 ? take(2).readUInt16BE() : short === 127 ? Number(take(8).readBigUInt64BE()) : short;
  const mask = (second & 0x80) === 0 ? null : take(4);
  const payload = Buffer.from(bytes.subarray(at, at + length));
  if (mask !== null) for (let i = 0; i < payload.length; i++) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return { isFinal: (first & 0x80) !== 0, opcode: first & 0x0f, payload, end: at + length };
}
