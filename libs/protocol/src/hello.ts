import * as z from "zod/mini";
import { base64url } from "./base64url.ts";
import { ProtocolError } from "./errors.ts";
import { parseHandshakeId } from "./handshake-id.ts";
import { assertTextBytes, parseJson } from "./json.ts";
import { limits } from "./limits.ts";

/** First frame of a connection, S→C. The same for every path, known or not. */
export interface Hello {
  /** The bundle's bytes as signed and received; never re-serialised. */
  readonly bundle: Uint8Array;
  /** Ed25519, 64 bytes. */
  readonly sig: Uint8Array;
  readonly hid: string;
  /** 32 random bytes of the edge. */
  readonly nonce: Uint8Array;
}

const schema = z.strictObject({
  t: z.literal("hello"),
  bundle: z.string(),
  sig: z.string(),
  hid: z.string(),
  nonce: z.string(),
});

function assertHello(hello: Hello): void {
  if (hello.bundle.length === 0) throw new ProtocolError("malformed", "hello.bundle");
  if (hello.bundle.length > limits.bundleBytes) throw new ProtocolError("too-large", "hello.bundle");
  if (hello.sig.length !== 64) throw new ProtocolError("malformed", "hello.sig");
  if (hello.nonce.length !== 32) throw new ProtocolError("malformed", "hello.nonce");
  parseHandshakeId(hello.hid, "hello.hid");
}

/** @returns the text frame. @throws {ProtocolError} on parts that no client would take. */
export function encodeHello(hello: Hello): string {
  assertHello(hello);
  const frame = JSON.stringify({
    t: "hello",
    bundle: base64url.encode(hello.bundle),
    sig: base64url.encode(hello.sig),
    hid: hello.hid,
    nonce: base64url.encode(hello.nonce),
  });
  assertTextBytes(frame, limits.helloBytes, "hello");
  return frame;
}

/** @throws {ProtocolError} */
export function parseHello(frame: string): Hello {
  assertTextBytes(frame, limits.helloBytes, "hello");
  const fields = parseJson(schema, frame, "hello");
  const hello = {
    bundle: base64url.decode(fields.bundle, "hello.bundle"),
    sig: base64url.decode(fields.sig, "hello.sig"),
    hid: fields.hid,
    nonce: base64url.decode(fields.nonce, "hello.nonce"),
  };
  assertHello(hello);
  return hello;
}
