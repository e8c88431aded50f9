/**
 * A message was not handed over. Says why by codes only: what servers answer quotes the address, and the message of a failed job is
 * kept in the queue. For the same reason it has no `cause`.
 */
export class NotSentError extends Error {
  override readonly name = "NotSentError";
  /** A token, like `ECONNECTION`. */
  readonly code: string;
  /** Of the server, like 451; null where it said nothing. */
  readonly replyCode: number | null;
  /** The same message would be refused again. */
  readonly permanent: boolean;
  constructor(code: string, replyCode: number | null, permanent: boolean) {
    super(`the message was not sent: ${code}${replyCode === null ? "" : `, reply ${replyCode}`}`);
    this.code = code;
    this.replyCode = replyCode;
    this.permanent = permanent;
  }
}
