import { base64url } from "./base64url.ts";
import { ProtocolError } from "./errors.ts";

const shape = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{21}[AQgw])$/;

/** `<edgeId>.<random>`: unique, and says which edge one is on. @param random 16 bytes. */
export function formatHandshakeId(edgeId: string, random: Uint8Array): string {
  const hid = `${edgeId}.${base64url.encode(random)}`;
  parseHandshakeId(hid);
  return hid;
}

/** @throws {ProtocolError} `malformed`. */
export function parseHandshakeId(hid: string, field = "hid"): { readonly edgeId: string; readonly random: Uint8Array } {
  const match = shape.exec(hid);
  const [, edgeId, random] = match ?? [];
  if (edgeId === undefined || random === undefined) throw new ProtocolError("malformed", field);
  return { edgeId, random: base64url.decode(random, field) };
}
