import { encodeMessageDown, type MessageDown, parseMessageDown } from "@portcullis/protocol";
import type { Vault } from "@portcullis/runtime";
import type { CountedWrite, State } from "@portcullis/state";

/** What a socket keeps: the last so many messages, none older than `ms`. */
export interface Kept {
  readonly messages: number;
  readonly ms: number;
}

export interface Page {
  /** As they were sent, unsealed. */
  readonly messages: readonly Uint8Array[];
  /** The last place that was looked at. */
  readonly through: number;
  /** False: something in between is not kept any more. */
  readonly isComplete: boolean;
}

/**
 * Messages for who was away, under the vault. Each is written in one step with its place: a place of which nothing is kept is one that is
 * kept no more.
 */
export interface History {
  /** What is to be written along with the place. */
  entry(socketId: string, message: MessageDown, kept: Kept): CountedWrite["kept"];
  /** What is too much with this place. */
  trim(socketId: string, place: number, kept: Kept): Promise<void>;
  /** Takes back what was written along with a place. */
  drop(socketId: string, place: number): Promise<void>;
  /** Of the places behind `after` up to `last`, as many as fit into one answer. */
  page(socketId: string, after: number, last: number, kept: Kept): Promise<Page>;
}

const pageBytesMax = 512 * 1024;
const pageMessagesMax = 200;

export function createHistory(state: State, vault: Vault): History {
  const prefix = (socketId: string) => `keys:history:${socketId}:`;
  return {
    entry: (socketId, message, { ms }) => ({
      prefix: prefix(socketId),
      value: vault.wrap(encodeMessageDown(message), prefix(socketId)),
      ttlMs: ms,
    }),
    async trim(socketId, place, { messages }) {
      if (place > messages) await state.delete(`${prefix(socketId)}${place - messages}`);
    },
    async drop(socketId, place) {
      await state.delete(`${prefix(socketId)}${place}`);
    },
    async page(socketId, after, last, kept) {
      const first = Math.max(after + 1, last - kept.messages + 1);
      const messages: Uint8Array[] = [];
      let isComplete = first === after + 1;
      let bytes = 0;
      let place = first;
      for (; place <= last && messages.length < pageMessagesMax && bytes < pageBytesMax; place += 1) {
        const found = await state.get(`${prefix(socketId)}${place}`);
        if (found === null) {
          isComplete = false;
          continue;
        }
        const message = parseMessageDown(vault.unwrap(found.value, prefix(socketId)));
        bytes += message.body.length;
        messages.push(encodeMessageDown({ ...message, head: { ...message.head, place } }));
      }
      return { messages, through: Math.max(after, place - 1), isComplete };
    },
  };
}
