import type { SendMailOptions } from "nodemailer";

/** Takes a mail to where it goes. */
export interface MailTransport {
  /** For metrics. */
  readonly name: "smtp" | "outbox";
  /**
   * Resolves when the other side has taken responsibility for the mail.
   *
   * @param mailId `[A-Za-z0-9_-]{1,64}`
   * @throws {NotSentError}
   */
  send(mailId: string, message: SendMailOptions, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface TextMessage {
  /** What it is for, so that what became of it can be told. */
  readonly waitId: string;
  /** E.164. */
  readonly to: string;
  readonly text: string;
  /** Epoch milliseconds: whoever carries it may drop it from then on. */
  readonly untilMs: number;
}

export interface CallMessage {
  /** What it is for, so that what became of it can be told. */
  readonly waitId: string;
  /** E.164. */
  readonly to: string;
  /** What is said, with a pause between. */
  readonly lines: readonly string[];
  /** Epoch milliseconds: nobody is rung up from then on. */
  readonly untilMs: number;
}

/** Calls somebody and says something. */
export interface VoiceTransport {
  /** For metrics. */
  readonly name: "twilio" | "outbox" | "none";
  /**
   * Resolves when the other side has taken responsibility for the call.
   *
   * @param sendingId `[A-Za-z0-9_-]{1,64}`, the same when it is tried again
   * @throws {NotSentError}
   */
  send(sendingId: string, message: CallMessage, signal: AbortSignal): Promise<void>;
}

/** Takes a text message to where it goes. */
export interface SmsTransport {
  /** For metrics. */
  readonly name: "twilio" | "webhook" | "outbox";
  /**
   * Resolves when the other side has taken responsibility for the message.
   *
   * @param sendingId `[A-Za-z0-9_-]{1,64}`, the same when it is tried again
   * @throws {NotSentError}
   */
  send(sendingId: string, message: TextMessage, signal: AbortSignal): Promise<void>;
}
