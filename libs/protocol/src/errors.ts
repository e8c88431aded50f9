import { closeCodes } from "./close-codes.ts";

export const protocolErrorCodes = Object.freeze(["malformed", "out-of-order", "too-large", "unsupported"] as const);
export type ProtocolErrorCode = (typeof protocolErrorCodes)[number];

/**
 * What was received is not the protocol. The message is the close code's public text; `field` says where (`open.enc`), never
 * what was there, so that it may be logged.
 */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
  readonly code: ProtocolErrorCode;
  readonly closeCode: number;
  readonly field: string;
  constructor(code: ProtocolErrorCode, field: string) {
    super(closeCodes[code].text);
    this.code = code;
    this.closeCode = closeCodes[code].code;
    this.field = field;
  }
}
