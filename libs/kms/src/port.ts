/**
 * Who keeps the keys that wrap data keys. Small on purpose: a service hands over a key of 32 bytes, keeps what comes back, and has it opened again when it starts and
 * once in every lease. What is stored is never sent there.
 *
 * Promise, the same for every adapter and proven by one conformance suite:
 * - what was wrapped opens in the same context only, and unaltered only;
 * - what an adapter wrapped opens after its own key was replaced, for as long as that key service keeps the old one;
 * - every call ends within `callMsMax`, repetitions included;
 * - an error says what to look at, and holds no key, no token and nothing of an answer.
 */
export interface Kms {
  readonly kind: KmsKind;
  /** @param key 32 bytes. @throws {KmsError} */
  wrap(key: Uint8Array, context: KmsContext): Promise<WrappedKey>;
  /** @returns 32 bytes, which the caller fills with zeros in the end. @throws {KmsError} */
  unwrap(wrapped: string, context: KmsContext): Promise<Uint8Array>;
  /** Where it is and which key it uses, for people: `aws-kms alias/portcullis at https://kms.eu-central-1.amazonaws.com`. No secrets. */
  describe(): string;
}

export const kmsKinds = ["local", "aws-kms", "vault-transit"] as const;
export type KmsKind = (typeof kmsKinds)[number];

/** Which key of whom. Bound to what is wrapped: a ring entry that is moved to another service, or to another place in its ring, does not open. */
export interface KmsContext {
  readonly service: string;
  /** Its id in the ring. */
  readonly key: string;
}

export interface WrappedKey {
  /** Begins with the kind of key service that can open it, and a colon; at most 4096 characters. */
  readonly wrapped: string;
  /** Which of its keys did it, as far as it says. For people. */
  readonly by: string;
}

export const wrappedLengthMax = 4096;
export const keyBytes = 32;
export const callMsMax = 15_000;

/**
 * - `denied`: it knows us and will not, or does not know us
 * - `unavailable`: no answer, too slow, overloaded, sealed, 5xx; worth another try
 * - `refused`: there is no such key, it is disabled, or the request makes no sense to it
 * - `unopened`: it answers, and this does not open: altered, moved, or of another key
 */
export type KmsFailure = "denied" | "unavailable" | "refused" | "unopened";

export class KmsError extends Error {
  override readonly name = "KmsError";
  readonly code: KmsFailure;
  /** @param message what to look at: names settings, holds no values that could be secret. */
  constructor(code: KmsFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
