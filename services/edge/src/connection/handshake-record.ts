import { type CloseCodeName, ProtocolError, parseRecord, recordTypes } from "@portcullis/protocol";

/** @throws {ProtocolError} on everything but a record of a client's handshake. */
export function requireRecord(data: Buffer, binary: boolean): void {
  if (!binary) throw new ProtocolError("out-of-order", "frame");
  if (parseRecord(data).type !== recordTypes.handshakeUp) throw new ProtocolError("out-of-order", "record.type");
}

/** Why a frame is no such record; null where it is one. */
export function misfitOf(data: Buffer, binary: boolean): CloseCodeName | null {
  try {
    requireRecord(data, binary);
    return null;
  } catch (error) {
    if (error instanceof ProtocolError) return error.code;
    throw error;
  }
}
