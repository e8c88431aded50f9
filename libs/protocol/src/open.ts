import * as z from "zod/mini";
import { base64url } from "./base64url.ts";
import { ProtocolError } from "./errors.ts";
import { assertTextBytes, parseJson } from "./json.ts";
import { limits } from "./limits.ts";
import { isPaddedLength } from "./padding.ts";
import { isSuiteId, type SuiteId, suites } from "./suites.ts";

const tagBytes = 16;
/** `k:` app key, `h:` a handshake that goes on, `r:` a session that goes on, "" Base mode. */
const pskShape = /^(?:k:[A-Za-z0-9_-]{16}|h:[A-Za-z0-9_-]{1,32}\.[A-Za-z0-9_-]{21}[AQgw]|r:[A-Za-z0-9_-]{1,64})?$/;

/** The client's only text frame. */
export interface Open {
  readonly suite: SuiteId;
  /** Encapsulated KEM secret. */
  readonly enc: Uint8Array;
  /** PSK id: `k:<keyId>`, `h:<hid>`, `r:<sid>`, or "" for Base mode. */
  readonly psk: string;
  /** Padded payload, sealed. */
  readonly box: Uint8Array;
}

const schema = z.strictObject({
  t: z.literal("open"),
  suite: z.string().check(z.regex(/^[0-9a-f]{4}$/)),
  enc: z.string(),
  psk: z.string(),
  box: z.string(),
});

function assertOpen(open: Open): void {
  if (!pskShape.test(open.psk)) throw new ProtocolError("malformed", "open.psk");
  if (open.enc.length !== suites[open.suite].encBytes) throw new ProtocolError("malformed", "open.enc");
  if (open.box.length > limits.boxBytes) throw new ProtocolError("too-large", "open.box");
  if (!isPaddedLength(open.box.length - tagBytes)) throw new ProtocolError("malformed", "open.box");
}

/** @returns the text frame. @throws {ProtocolError} on parts that no server would take. */
export function encodeOpen(open: Open): string {
  assertOpen(open);
  const frame = JSON.stringify({
    t: "open",
    suite: open.suite,
    enc: base64url.encode(open.enc),
    psk: open.psk,
    box: base64url.encode(open.box),
  });
  assertTextBytes(frame, limits.openBytes, "open");
  return frame;
}

/** @throws {ProtocolError} `unsupported` on a suite that is none of ours. */
export function parseOpen(frame: string): Open {
  assertTextBytes(frame, limits.openBytes, "open");
  const fields = parseJson(schema, frame, "open");
  if (!isSuiteId(fields.suite)) throw new ProtocolError("unsupported", "open.suite");
  const open = {
    suite: fields.suite,
    enc: base64url.decode(fields.enc, "open.enc"),
    psk: fields.psk,
    box: base64url.decode(fields.box, "open.box"),
  };
  assertOpen(open);
  return open;
}

/** What a PSK id names; null in Base mode. */
export function pskOf(psk: string): { readonly of: "app-key" | "handshake" | "session"; readonly id: string } | null {
  if (psk === "") return null;
  const of = psk.startsWith("k:") ? "app-key" : psk.startsWith("h:") ? "handshake" : "session";
  return { of, id: psk.slice(2) };
}
