import type { Delivered, Message } from "../port.ts";
import type { BusErrorListener } from "../tasks.ts";

/** What a tap sees: all that would cross the wire. */
export interface Observed {
  readonly kind: "request" | "reply" | "publish";
  /** The bus handle that sent it. */
  readonly from: string;
  readonly subject: string;
  readonly message: Message;
}

export interface MemoryBusOptions {
  /** Takes what handlers throw, and deliveries that were dropped. */
  readonly onError: BusErrorListener;
  /** Shown to taps. Default `bus`. */
  readonly name?: string;
}

/** Somebody who listens on a pattern. */
export interface Member {
  readonly pattern: string;
  readonly queue: string | undefined;
  /** Counts the messages that its group shared out while it was the first member. */
  turn: number;
  readonly deliver: (delivered: Delivered, reply: Reply | undefined) => void;
  readonly drop: () => void;
}

export type Reply = (answer: Message | "failed", from: string) => void;

/** What the handles share. */
export interface Wire {
  isUp(): boolean;
  join(member: Member): void;
  leave(member: Member): void;
  /** @returns how many receivers it was given to, or `full` */
  send(subject: string, message: Message, reply: Reply | undefined): number | "full";
  /** Runs a task in a later turn of the event loop, in the order in which they were handed in. */
  later(task: () => void): void;
  observe(observed: Observed): void;
  onChange(listener: (up: boolean) => void): () => void;
}

export function copyOf(message: Message): Message {
  return { data: new Uint8Array(message.data), headers: Object.freeze({ ...message.headers }) };
}
