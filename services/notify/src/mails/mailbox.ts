export interface Mailbox {
  /** Shown to people; may be empty. */
  readonly name: string;
  readonly address: string;
}

const addressPattern = /^[^\s\p{Cc}<>()[\]@,;:"\\]{1,64}@[^\s\p{Cc}<>()[\]@,;:"\\]{1,253}$/u;

/**
 * One plain address, as RFC 5321 `Dot-string@Domain`. Anything that a header or an envelope could read as two addresses, a group
 * or a quoted string is none: it would let whoever chose it add recipients.
 */
export function isAddress(text: string): boolean {
  return text.length <= 254 && text.isWellFormed() && addressPattern.test(text);
}
