import type { SendMailOptions } from "nodemailer";

/** Takes a mail to where it goes. */
export interface MailTransport {
  /** For metrics. */
  readonly name: "smtp" | "outbox";
  /**
   * Resolves when the other side has taken responsibility for the mail.
   *
   * @param mailId `[A-Za-z0-9_-]{1,64}`
   * @throws {MailNotSentError}
   */
  send(mailId: string, message: SendMailOptions, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/**
 * The mail was not handed over. Says why by codes only: what mail servers answer quotes the address, and the message of a failed
 * job is kept in the queue. For the same reason it has no `cause`.
 */
export class MailNotSentError extends Error {
  override readonly name = "MailNotSentError";
  /** A token, like `ECONNECTION`. */
  readonly code: string;
  /** Of the server, like 451; null where it said nothing. */
  readonly replyCode: number | null;
  /** The same mail would be refused again. */
  readonly permanent: boolean;
  constructor(code: string, replyCode: number | null, permanent: boolean) {
    super(`the mail was not sent: ${code}${replyCode === null ? "" : `, reply ${replyCode}`}`);
    this.code = code;
    this.replyCode = replyCode;
    this.permanent = permanent;
  }
}
