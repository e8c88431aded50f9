import { concat, lp, u64be, viewOf } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { type SuiteId, suites } from "../suites.ts";
import { keyIdBytes, suiteBytes, suiteOf } from "./sealed-body.ts";

/** By what whoever opened a message can answer: `key id 8 | suite 2 | public key`. */
export interface ReplyKey {
  readonly keyId: Uint8Array;
  readonly suite: SuiteId;
  readonly publicKey: Uint8Array;
}

/** What a sealed body holds: `sender key 32 | message id 16 | seq 8 | lp(reply) | lp(body) | signature 64`. */
export interface SealedContent {
  /** The sender's raw Ed25519 key. */
  readonly sender: Uint8Array;
  /** 16 random bytes of the sender's. */
  readonly messageId: Uint8Array;
  /** Rises strictly among what one sender says to one recipient in one session. */
  readonly seq: number;
  /** Null: it is not to be answered. */
  readonly reply: ReplyKey | null;
  readonly body: Uint8Array;
  /** All before the signature, which is over it and over where it is said. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

const senderBytes = 32;
const messageIdBytes = 16;
const fixedBytes = senderBytes + messageIdBytes + 8;
const signatureBytes = 64;

/** @returns all before the signature. @throws {RangeError} on a key, id or number that is none. */
export function encodeContent(content: Omit<SealedContent, "signed" | "signature">): Uint8Array {
  const { sender, messageId, seq, reply, body } = content;
  if (sender.length !== senderBytes || messageId.length !== messageIdBytes) throw new RangeError("no such sender");
  const written = reply === null ? new Uint8Array() : concat(reply.keyId, suiteBytes(reply.suite), reply.publicKey);
  return concat(sender, messageId, u64be(seq), lp(written), lp(body));
}

/** @param bytes unpadded. @returns views into them. @throws {ProtocolError} `malformed` */
export function parseContent(bytes: Uint8Array): SealedContent {
  const end = bytes.length - signatureBytes;
  if (end < fixedBytes) throw new ProtocolError("malformed", "content");
  const view = viewOf(bytes);
  const seq = view.getBigUint64(fixedBytes - 8);
  if (seq > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError("malformed", "content.seq");
  let at = fixedBytes;
  const next = (field: string): Uint8Array => {
    const start = at + 4;
    const length = start <= end ? view.getUint32(at) : Number.POSITIVE_INFINITY;
    if (start + length > end) throw new ProtocolError("malformed", field);
    at = start + length;
    return bytes.subarray(start, at);
  };
  const reply = next("content.reply");
  const body = next("content.body");
  if (at !== end) throw new ProtocolError("malformed", "content");
  return {
    sender: bytes.subarray(0, senderBytes),
    messageId: bytes.subarray(senderBytes, senderBytes + messageIdBytes),
    seq: Number(seq),
    reply: reply.length === 0 ? null : readReply(reply),
    body,
    signed: bytes.subarray(0, end),
    signature: bytes.subarray(end),
  };
}

function readReply(bytes: Uint8Array): ReplyKey {
  const suite = suiteOf(bytes.subarray(keyIdBytes, keyIdBytes + 2));
  const publicKey = bytes.subarray(keyIdBytes + 2);
  if (suite === null || publicKey.length !== suites[suite].publicKeyBytes)
    throw new ProtocolError("malformed", "content.reply");
  return { keyId: bytes.subarray(0, keyIdBytes), suite, publicKey };
}
