import * as z from "zod/mini";
import { concat, u64be, utf8, viewOf } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { count, label, member } from "./fields.ts";
import { check, parseJson, textOf } from "./json.ts";
import { limits } from "./limits.ts";
import { recordTypes } from "./record.ts";

const headSchema = z.strictObject({
  /** The sender's public session label. */
  sid: label,
  /** Present where the sender's member is proven. */
  member: z.optional(member),
  /** The server's name for this message: whoever sees it twice drops the second. */
  msgid: label,
  /** Where messages have an order: rises by 1 with each message of the socket, whoever sent it. */
  place: z.optional(count(Number.MAX_SAFE_INTEGER, 1)),
});

export type MessageHead = z.infer<typeof headSchema>;

/** A plain message upwards: `40 | counter8 | body`. */
export interface MessageUp {
  /** From 0, strictly +1 for as long as the session lives, over however many connections. */
  readonly counter: number;
  readonly body: Uint8Array;
}

/** A plain message downwards: `41 | sequence8 | headLength2 | head | body`. The same bytes go to every receiver. */
export interface MessageDown {
  /** The sender's counter: strictly rising for one `sid`. */
  readonly sequence: number;
  readonly head: MessageHead;
  readonly body: Uint8Array;
}

const upHeaderBytes = 9;
const downHeaderBytes = 11;

function assertBody(body: Uint8Array): void {
  if (body.length > limits.messageBytes) throw new ProtocolError("too-large", "message.body");
}

function sequenceAt(view: DataView, field: string): number {
  const value = view.getBigUint64(1);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError("malformed", field);
  return Number(value);
}

export function encodeMessageUp(message: MessageUp): Uint8Array {
  assertBody(message.body);
  return concat(Uint8Array.of(recordTypes.messageUp), u64be(message.counter), message.body);
}

/** @returns views into `bytes`, not copies. @throws {ProtocolError} */
export function parseMessageUp(bytes: Uint8Array): MessageUp {
  if (bytes.length < upHeaderBytes) throw new ProtocolError("malformed", "message");
  if (bytes[0] !== recordTypes.messageUp) throw new ProtocolError("out-of-order", "message.type");
  const body = bytes.subarray(upHeaderBytes);
  assertBody(body);
  return { counter: sequenceAt(viewOf(bytes), "message.counter"), body };
}

export function encodeMessageDown(message: MessageDown): Uint8Array {
  assertBody(message.body);
  const head = utf8(JSON.stringify(check(headSchema, message.head, "message.head")));
  if (head.length > limits.messageHeadBytes) throw new ProtocolError("too-large", "message.head");
  const start = concat(Uint8Array.of(recordTypes.messageDown), u64be(message.sequence), new Uint8Array(2));
  viewOf(start).setUint16(upHeaderBytes, head.length);
  return concat(start, head, message.body);
}

/** @returns views into `bytes`, not copies. @throws {ProtocolError} */
export function parseMessageDown(bytes: Uint8Array): MessageDown {
  if (bytes.length < downHeaderBytes) throw new ProtocolError("malformed", "message");
  if (bytes[0] !== recordTypes.messageDown) throw new ProtocolError("out-of-order", "message.type");
  const view = viewOf(bytes);
  const headLength = view.getUint16(upHeaderBytes);
  if (headLength > limits.messageHeadBytes) throw new ProtocolError("too-large", "message.head");
  if (downHeaderBytes + headLength > bytes.length) throw new ProtocolError("malformed", "message.head");
  const headText = textOf(bytes.subarray(downHeaderBytes, downHeaderBytes + headLength), "message.head");
  const body = bytes.subarray(downHeaderBytes + headLength);
  assertBody(body);
  return {
    sequence: sequenceAt(view, "message.sequence"),
    head: parseJson(headSchema, headText, "message.head"),
    body,
  };
}
