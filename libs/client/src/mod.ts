export type { Closing } from "./closing.ts";
export { connect } from "./connect.ts";
export {
  type ConsumerMessage,
  type ConsumerOptions,
  type ConsumerSession,
  connectConsumer,
  type Peer,
} from "./consumer.ts";
export { type ConsumerOf, consumerOf } from "./consumer-of.ts";
export type { SocketDirectory } from "./end-to-end/directory.ts";
export type { KeyChange, KeyChangeCallback } from "./end-to-end/key-change.ts";
export { type Answer, createEndToEnd, type EndToEnd, type EndToEndOptions } from "./end-to-end/member.ts";
export type { Opened, SealedMessage } from "./end-to-end/opened.ts";
export {
  createRecipient,
  type Letter,
  type Recipient,
  type RecipientOptions,
  type Sender,
} from "./end-to-end/recipient.ts";
export type { Pin, PinStore, PrekeyStore, SeenStore } from "./end-to-end/stores.ts";
export { PortcullisError, type PortcullisErrorCode, portcullisErrorCodes } from "./errors.ts";
export type { IdentCallback } from "./ident-callback.ts";
export { keepConnected } from "./keep-connected.ts";
export type { Message } from "./message.ts";
export type { FrameDirection, FrameKind, FrameSummary, Narrate } from "./narration.ts";
export type { OfferCallback, Offered, OfferedAnswer, Offering } from "./offers.ts";
export { withPin } from "./opening.ts";
export type { ConnectOptions, SessionState, StateCallback } from "./options.ts";
export { type Ident, identOf } from "./prompts/ident.ts";
export type { PasskeyRequest, Prompt } from "./prompts/prompt.ts";
export { prompts } from "./prompts/registry.ts";
export {
  type AnswerCallback,
  type ChallengeCallback,
  notRecognised,
  type Question,
  type Server,
} from "./question.ts";
export type { QuestionOption } from "./question-option.ts";
export { type Receipt, type ReceiptProblem, verifyReceipt } from "./receipt.ts";
export type { Assurance, Session, SessionLimits } from "./session.ts";
export type { Waiting, WaitingCallback } from "./waiting.ts";
export type { WebSocketConstructor, WebSocketLike } from "./web-socket.ts";
