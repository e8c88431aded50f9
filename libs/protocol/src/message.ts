import * as z from "zod/mini";
import { concat, u64be, utf8, viewOf } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { count, label, member, messageClass } from "./fields.ts";
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
  /** The kind that the sender said it is, where the policy asks for a step-up before such a message: it was passed. */
  class: z.optional(messageClass),
  /** Where messages have an order: rises by 1 with each message of the socket, whoever sent it. */
  place: z.optional(count(Number.MAX_SAFE_INTEGER, 1)),
  /** The session that it is for alone, the receiver's. It has no place then. */
  to: z.optional(label),
});

export type MessageHead = z.infer<typeof headSchema>;

/** What a message upwards may say about itself. */
const upHeadSchema = z.strictObject({
  /** What kind of message it is, as the policy names it: some ask for a step-up first. */
  class: z.optional(messageClass),
  /** The session that it is for alone; a consumer's. */
  to: z.optional(label),
});
export type MessageUpHead = z.infer<typeof upHeadSchema>;

/** A message upwards: `40 | counter8 | body`, or `42 | counter8 | headLength2 | head | body`. */
export interface MessageUp {
  /** From 0, strictly +1 for as long as the session lives, over however many connections. */
  readonly counter: number;
  /** Empty in a frame 40. */
  readonly head: MessageUpHead;
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
const headedBytes = 11;

function assertBody(body: Uint8Array): void {
  if (body.length > limits.messageBytes) throw new ProtocolError("too-large", "message.body");
}

function sequenceAt(view: DataView, field: string): number {
  const value = view.getBigUint64(1);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError("malformed", field);
  return Number(value);
}

/** A frame 40 where the head is empty or absent, else a frame 42. */
export function encodeMessageUp({
  counter,
  head = {},
  body,
}: Omit<MessageUp, "head"> & Partial<MessageUp>): Uint8Array {
  assertBody(body);
  if (Object.keys(head).length === 0) return concat(Uint8Array.of(recordTypes.messageUp), u64be(counter), body);
  const said = utf8(JSON.stringify(check(upHeadSchema, head, "message.head")));
  if (said.length > limits.messageHeadBytes) throw new ProtocolError("too-large", "message.head");
  const start = concat(Uint8Array.of(recordTypes.addressedUp), u64be(counter), new Uint8Array(2));
  viewOf(start).setUint16(upHeaderBytes, said.length);
  return concat(start, said, body);
}

/** @returns views into `bytes`, not copies. @throws {ProtocolError} */
export function parseMessageUp(bytes: Uint8Array): MessageUp {
  const isAddressed = bytes[0] === recordTypes.addressedUp;
  if (bytes.length < (isAddressed ? headedBytes : upHeaderBytes)) throw new ProtocolError("malformed", "message");
  if (!isMessageUp(bytes)) throw new ProtocolError("out-of-order", "message.type");
  const counter = sequenceAt(viewOf(bytes), "message.counter");
  const { head, body } = isAddressed ? headed(upHeadSchema, bytes) : { head: {}, body: bytes.subarray(upHeaderBytes) };
  assertBody(body);
  return { counter, head, body };
}

/** Whether a frame is, or a plaintext holds, a message upwards, by its first byte. */
export function isMessageUp(bytes: Uint8Array): boolean {
  return bytes[0] === recordTypes.messageUp || bytes[0] === recordTypes.addressedUp;
}

/** `type1 | number8 | headLength2 | head | body` */
function headed<Head>(schema: z.ZodMiniType<Head>, bytes: Uint8Array): { head: Head; body: Uint8Array } {
  const headLength = viewOf(bytes).getUint16(upHeaderBytes);
  if (headLength > limits.messageHeadBytes) throw new ProtocolError("too-large", "message.head");
  if (headedBytes + headLength > bytes.length) throw new ProtocolError("malformed", "message.head");
  const text = textOf(bytes.subarray(headedBytes, headedBytes + headLength), "message.head");
  return { head: parseJson(schema, text, "message.head"), body: bytes.subarray(headedBytes + headLength) };
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
  if (bytes.length < headedBytes) throw new ProtocolError("malformed", "message");
  if (bytes[0] !== recordTypes.messageDown) throw new ProtocolError("out-of-order", "message.type");
  const { head, body } = headed(headSchema, bytes);
  assertBody(body);
  return { sequence: sequenceAt(viewOf(bytes), "message.sequence"), head, body };
}
