/**
 * `box` the sealed open did not open, whatever the cause; `record` likewise for a record; `pin`, `signature`, `expired` a
 * bundle that must not be used; `psk` a pre-shared key that would silently mean Base mode; `suite` the runtime lacks it;
 * `key` malformed key material; `counter` a key is used up.
 */
export const cryptoErrorCodes = Object.freeze([
  "box",
  "record",
  "pin",
  "signature",
  "expired",
  "psk",
  "suite",
  "key",
  "counter",
] as const);
export type CryptoErrorCode = (typeof cryptoErrorCodes)[number];

const texts: Readonly<Record<CryptoErrorCode, string>> = {
  box: "The box does not open.",
  record: "The record does not open.",
  pin: "The server's identity is not the pinned one.",
  signature: "The server's bundle is not signed by its identity.",
  expired: "The server's bundle has expired.",
  psk: "The pre-shared key is missing or unfit.",
  suite: "The suite is not supported here.",
  key: "The key is not valid.",
  counter: "The key has sealed all the records that it may.",
};

/** Carries no key, plaintext or library message: the cause of a failed opening is nobody's business. */
export class CryptoError extends Error {
  override readonly name = "CryptoError";
  readonly code: CryptoErrorCode;
  constructor(code: CryptoErrorCode) {
    super(texts[code]);
    this.code = code;
  }
}
