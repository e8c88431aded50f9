const binaryFinal = 0x82;

/**
 * One unmasked binary WebSocket frame (RFC 6455 section 5.2), ready to be written to any number of connections. `ws` would
 * make the same header again for each of them, and two writes out of one.
 */
export function serverFrame(payload: Uint8Array): Buffer {
  const { length } = payload;
  const extended = length > 0xffff ? 8 : length > 125 ? 2 : 0;
  const frame = Buffer.allocUnsafe(2 + extended + length);
  frame[0] = binaryFinal;
  if (extended === 0) frame[1] = length;
  else if (extended === 2) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.set(payload, 2 + extended);
  return frame;
}
