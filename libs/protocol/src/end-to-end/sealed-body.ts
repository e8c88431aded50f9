import { concat } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { limits } from "../limits.ts";
import { isPaddedLength } from "../padding.ts";
import { isSuiteId, type SuiteId, suites } from "../suites.ts";

/** For whom a body is sealed, and by which of their keys it opens. */
export interface SealedBodyHeader {
  /** Fingerprint of the recipient's identity, 16 bytes. */
  readonly recipient: Uint8Array;
  /** Names the recipient's prekey, or the key that came for the answer; 8 bytes. */
  readonly keyId: Uint8Array;
  readonly suite: SuiteId;
}

/** `01 | recipient 16 | key id 8 | suite 2 | enc | box` (docs/protocol.md section 17): the body of a message that the server carries blind. */
export interface SealedBody extends SealedBodyHeader {
  /** All before `enc`, as received: additional data, and part of what is signed. */
  readonly header: Uint8Array;
  readonly enc: Uint8Array;
  /** Padded content and tag. */
  readonly box: Uint8Array;
}

const layout = 0x01;
const recipientBytes = 16;
export const keyIdBytes = 8;
const headerBytes = 1 + recipientBytes + keyIdBytes + 2;
const tagBytes = 16;

/** @throws {RangeError} on a recipient or key id of another length. */
export function encodeSealedHeader({ recipient, keyId, suite }: SealedBodyHeader): Uint8Array {
  if (recipient.length !== recipientBytes || keyId.length !== keyIdBytes) throw new RangeError("no such recipient");
  return concat(Uint8Array.of(layout), recipient, keyId, suiteBytes(suite));
}

/** @returns views into `body`, not copies. @throws {ProtocolError} `malformed`, `too-large` */
export function parseSealedBody(body: Uint8Array): SealedBody {
  if (body.length > limits.messageBytes) throw new ProtocolError("too-large", "body");
  if (body[0] !== layout || body.length < headerBytes) throw new ProtocolError("malformed", "body");
  const suite = suiteOf(body.subarray(headerBytes - 2, headerBytes));
  if (suite === null) throw new ProtocolError("malformed", "body.suite");
  const boxAt = headerBytes + suites[suite].encBytes;
  if (!isPaddedLength(body.length - boxAt - tagBytes)) throw new ProtocolError("malformed", "body.box");
  return {
    recipient: body.subarray(1, 1 + recipientBytes),
    keyId: body.subarray(1 + recipientBytes, headerBytes - 2),
    suite,
    header: body.subarray(0, headerBytes),
    enc: body.subarray(headerBytes, boxAt),
    box: body.subarray(boxAt),
  };
}

/** Whether a body is laid out as sealed: all that whoever carries it can tell. */
export function isSealedBody(body: Uint8Array): boolean {
  try {
    parseSealedBody(body);
    return true;
  } catch {
    return false;
  }
}

/** The suite as a number of two bytes. */
export function suiteBytes(suite: SuiteId): Uint8Array {
  return Uint8Array.of(Number.parseInt(suite.slice(0, 2), 16), Number.parseInt(suite.slice(2), 16));
}

/** @returns null for one that is not known here. */
export function suiteOf(bytes: Uint8Array): SuiteId | null {
  const id = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return isSuiteId(id) ? id : null;
}
