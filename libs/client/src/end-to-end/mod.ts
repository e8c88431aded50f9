export type { KeyChange, KeyChangeCallback } from "./key-change.ts";
export { type Answer, createEndToEnd, type EndToEnd, type EndToEndOptions } from "./member.ts";
export type { Opened, SealedMessage } from "./opened.ts";
export {
  createRecipient,
  type Letter,
  type Recipient,
  type RecipientOptions,
  type Sender,
} from "./recipient.ts";
export type { Pin, PinStore, PrekeyStore, SeenStore } from "./stores.ts";
