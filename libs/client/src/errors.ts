import { CryptoError } from "@portcullis/crypto";
import { type CloseCodeName, closeCodeOf, closeCodes, ProtocolError } from "@portcullis/protocol";

interface Meaning {
  readonly text: string;
  /** Whether trying again by itself makes sense, unless the server says otherwise. */
  readonly retryable: boolean;
}

const meanings = {
  denied: { text: "Denied.", retryable: false },
  unreachable: { text: "The server cannot be reached.", retryable: true },
  unavailable: { text: "Not available at the moment.", retryable: true },
  full: { text: "Too much is waiting to be sent. Wait for what was sent before.", retryable: true },
  "untrusted-server": { text: "This is not a server that can be trusted.", retryable: false },
  "expired-bundle": { text: "The server's hello is too old.", retryable: true },
  protocol: { text: "What came is not the protocol.", retryable: false },
  "not-recognised": { text: "The server was not recognised.", retryable: false },
  cancelled: { text: "Cancelled.", retryable: false },
  timeout: { text: "The time has passed.", retryable: true },
  unsupported: { text: "Version, suite or gate not supported.", retryable: false },
  "too-large": { text: "Too large.", retryable: false },
  closed: { text: "The session is closed.", retryable: true },
  undelivered: { text: "Nobody was there to take the message.", retryable: true },
  "not-found": { text: "There is no such session, or nobody of that name, here.", retryable: false },
  conflict: { text: "The name belongs to another identity.", retryable: false },
  "untrusted-recipient": { text: "This is not an identity that can be trusted.", retryable: false },
  unopened: { text: "The message does not open.", retryable: false },
  key: { text: "The app key is not valid.", retryable: false },
  ticket: { text: "The ticket is not valid.", retryable: false },
} as const satisfies Record<string, Meaning>;

export type PortcullisErrorCode = keyof typeof meanings;
export const portcullisErrorCodes = Object.freeze(Object.keys(meanings)) as readonly PortcullisErrorCode[];

export interface PortcullisErrorDetails {
  /** In the place of the text of the code; holds nothing secret. */
  readonly message?: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number | null;
  readonly closeCode?: number | null;
  readonly sealed?: boolean;
  readonly cause?: unknown;
}

/** Why nobody got in, or why it ended. Holds no key, answer, path or plaintext; `cause` is only ever what a callback threw. */
export class PortcullisError extends Error {
  override readonly name = "PortcullisError";
  readonly code: PortcullisErrorCode;
  readonly retryable: boolean;
  /** Milliseconds that the server asks to wait; null where it asked for nothing. */
  readonly retryAfterMs: number | null;
  /** Of the WebSocket, ours or theirs; null where none was involved. */
  readonly closeCode: number | null;
  /** True: the server's own word. False: found out here, or said by whoever sits between, and good for waiting only. */
  readonly sealed: boolean;
  constructor(code: PortcullisErrorCode, details: PortcullisErrorDetails = {}) {
    super(details.message ?? meanings[code].text, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.retryable = details.retryable ?? meanings[code].retryable;
    this.retryAfterMs = details.retryAfterMs ?? null;
    this.closeCode = details.closeCode ?? null;
    this.sealed = details.sealed ?? false;
  }
}

const byCloseName: Readonly<Record<CloseCodeName, PortcullisErrorCode>> = {
  closed: "closed",
  "going-away": "unavailable",
  restart: "unavailable",
  "slow-consumer": "closed",
  unavailable: "unavailable",
  "expired-bundle": "expired-bundle",
  "session-expired": "closed",
  deadline: "timeout",
  rate: "unavailable",
  malformed: "protocol",
  "out-of-order": "protocol",
  "too-large": "too-large",
  denied: "denied",
  revoked: "denied",
  replaced: "closed",
  unsupported: "unsupported",
};

/** For `denied` and `goodbye`. @param sealed whether it came in a record that only the server can have sealed. */
export function errorOfName(name: CloseCodeName, retryAfterMs: number | null, sealed: boolean): PortcullisError {
  const { code, retry } = closeCodes[name];
  return new PortcullisError(byCloseName[name], { retryable: retry, retryAfterMs, closeCode: code, sealed });
}

/** What a WebSocket library closes with by itself (docs/protocol.md section 12). */
const byStandardCode: ReadonlyMap<number, PortcullisErrorCode> = new Map([
  [1002, "protocol"],
  [1007, "protocol"],
  [1009, "too-large"],
]);

/** @param heard true when a hello had come: before that, a broken connection is a server that is not there. */
export function errorOfClose(closeCode: number, retryAfterMs: number | null, heard: boolean): PortcullisError {
  const known = closeCodeOf(closeCode);
  if (known !== undefined) return errorOfName(nameOf(known.name), retryAfterMs, false);
  const standard = byStandardCode.get(closeCode);
  if (standard !== undefined) return new PortcullisError(standard, { closeCode });
  if (closeCode >= 4500) return new PortcullisError("closed", { closeCode, retryable: false });
  if (closeCode >= 4000) return new PortcullisError("unavailable", { closeCode, retryAfterMs });
  return new PortcullisError(heard ? "closed" : "unreachable", { closeCode, retryAfterMs });
}

/** What a callback threw; an error of ours stays what it is. @param retryable whether it may not throw the next time */
export function ofCallback(thrown: unknown, retryable = false): PortcullisError {
  return thrown instanceof PortcullisError ? thrown : new PortcullisError("cancelled", { cause: thrown, retryable });
}

/** What was to be sent is not valid: that is what the application gave, and not the server's doing. */
export function blameApplication(error: unknown): never {
  if (error instanceof ProtocolError && error.code === "malformed")
    throw new TypeError(`Not valid: ${error.field.replace("payload.", "")}.`);
  throw error;
}

/** Before anything else is made of it. @throws {TypeError} on what the server would refuse */
export function assertValid(encode: () => Uint8Array): void {
  try {
    encode();
  } catch (error) {
    blameApplication(error);
  }
}

export function nameOf(name: string): CloseCodeName {
  return Object.hasOwn(closeCodes, name) ? (name as CloseCodeName) : "closed";
}

/** Errors of the libraries below become ours; anything else (a wrong argument, a defect) stays what it is. */
export function ownError(error: unknown): unknown {
  if (error instanceof ProtocolError) {
    const code = error.code === "unsupported" || error.code === "too-large" ? error.code : "protocol";
    return new PortcullisError(code, { closeCode: error.closeCode });
  }
  if (!(error instanceof CryptoError)) return error;
  switch (error.code) {
    case "pin":
    case "signature":
      return new PortcullisError("untrusted-server");
    case "expired":
      return new PortcullisError("expired-bundle");
    case "suite":
      return new PortcullisError("unsupported", { closeCode: closeCodes.unsupported.code });
    case "psk":
      return new PortcullisError("key");
    default:
      return new PortcullisError("protocol", { closeCode: closeCodes.malformed.code });
  }
}
