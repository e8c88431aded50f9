import { type MessageDown, utf8 } from "@portcullis/protocol";

/** What somebody on the socket said. */
export interface Message {
  /** `member` is null where the server names none. */
  readonly from: { readonly sid: string; readonly member: string | null };
  /** What kind the sender says it is, where the socket asks for a step-up before such a message: it was passed. Null for any other. */
  readonly class: string | null;
  /** The sender's counter: rises for each `sid`. */
  readonly seq: number;
  /** Where it stands among all messages of the socket, the same for everybody; null where the socket gives no order between senders. */
  readonly place: number | null;
  /** The server's name for the message. */
  readonly id: string;
  /** True: it was said to this session alone. */
  readonly direct: boolean;
  /** How many of this sender's messages are missing between the one before and this one. Of a consumer's, those for others are among them. */
  readonly missed: number;
  /** True for a message of this very session; only with `echo`. */
  readonly own: boolean;
  readonly bytes: Uint8Array;
  /** `bytes` as UTF-8; what is not, becomes U+FFFD. */
  text(): string;
}

/**
 * A copy: the application may use its buffer again at once. Of Node's own bytes `slice` is the same memory.
 *
 * @throws {TypeError} neither a text nor bytes
 */
export function bytesToSend(message: string | Uint8Array): Uint8Array {
  if (typeof message === "string") return utf8(message);
  // By its name: a test environment may have another realm's.
  if (message?.[Symbol.toStringTag] !== "Uint8Array") throw new TypeError("A message is a text or a Uint8Array.");
  return Uint8Array.prototype.slice.call(message);
}

// Senders that have gone stay known until as many others have spoken since; the edge does likewise.
const sendersMax = 4_096;
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** @returns a reader that gives null for a message that is old or came before. */
export function createMessageReader(ownSid: string): (message: MessageDown) => Message | null {
  const lastSeqs = new Map<string, number>();
  return ({ sequence, head, body }) => {
    const direct = head.to !== undefined;
    // What is said to one overtakes what is said to all, and is no part of it.
    const name = direct ? `${head.sid} ${head.to}` : head.sid;
    const last = lastSeqs.get(name);
    if (last !== undefined && sequence <= last) return null;
    lastSeqs.delete(name);
    lastSeqs.set(name, sequence);
    const [oldest] = lastSeqs.keys();
    if (lastSeqs.size > sendersMax && oldest !== undefined) lastSeqs.delete(oldest);
    return {
      from: { sid: head.sid, member: head.member ?? null },
      class: head.class ?? null,
      seq: sequence,
      place: head.place ?? null,
      id: head.msgid,
      direct,
      missed: last === undefined || direct ? 0 : sequence - last - 1,
      own: head.sid === ownSid,
      bytes: body,
      text: () => decoder.decode(body),
    };
  };
}
