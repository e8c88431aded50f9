import type { Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";

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

/** Messages for who was away. They lie under the vault, each bound to its place. */
export interface History {
  /** Idempotent. */
  keep(socketId: string, place: number, message: Uint8Array, kept: Kept): Promise<void>;
  /** Of the places behind `after` up to `last`, as many as fit into one answer. */
  page(socketId: string, after: number, last: number, kept: Kept): Promise<Page>;
}

const pageBytesMax = 512 * 1024;
const pageMessagesMax = 200;

export function createHistory(state: State, vault: Vault): History {
  const key = (socketId: string, place: number) => `keys:history:${socketId}:${place}`;
  return {
    async keep(socketId, place, message, kept) {
      const name = key(socketId, place);
      await state.create(name, vault.wrap(message, name), kept.ms);
      if (place > kept.messages) await state.delete(key(socketId, place - kept.messages));
    },
    async page(socketId, after, last, kept) {
      const first = Math.max(after + 1, last - kept.messages + 1);
      const messages: Uint8Array[] = [];
      let isComplete = first === after + 1;
      let bytes = 0;
      let place = first;
      for (; place <= last && messages.length < pageMessagesMax && bytes < pageBytesMax; place += 1) {
        const name = key(socketId, place);
        const found = await state.get(name);
        if (found === null) {
          isComplete = false;
          continue;
        }
        const message = vault.unwrap(found.value, name);
        bytes += message.length;
        messages.push(message);
      }
      return { messages, through: Math.max(after, place - 1), isComplete };
    },
  };
}
