import * as z from "zod/mini";
import { base64url } from "./base64url.ts";
import { utf8 } from "./bytes.ts";
import { ProtocolError } from "./errors.ts";
import { count, label } from "./fields.ts";
import { parseJson, textOf } from "./json.ts";
import { limits } from "./limits.ts";
import { isSuiteId, type SuiteId, suiteIds, suites } from "./suites.ts";

/** Subprotocol of the WebSocket and version inside the bundle. */
export const subprotocol = "portcullis.v1";

/** What a `keys` replica signs: its short-lived KEM keys under the server's identity. */
export interface Bundle {
  /** Versions that the server speaks; holds `portcullis.v1`. */
  readonly v: readonly string[];
  /** Names the replica's key pair; routes `open` to it. */
  readonly kid: string;
  /** KEM public keys, at least one. */
  readonly suites: Readonly<Partial<Record<SuiteId, Uint8Array>>>;
  /** Ed25519 public key, 32 bytes. */
  readonly idKey: Uint8Array;
  /** Epoch seconds. */
  readonly exp: number;
}

const schema = z.strictObject({
  v: z.array(z.string().check(z.regex(/^[a-z0-9.-]{1,32}$/))).check(z.minLength(1), z.maxLength(8)),
  kid: label,
  suites: z.record(z.string().check(z.regex(/^[0-9a-f]{4}$/)), z.string()),
  idKey: z.string(),
  exp: count(2 ** 40),
});

/** @returns the JSON bytes to sign. */
export function encodeBundle(bundle: Omit<Bundle, "v">): Uint8Array {
  const keys: Record<string, string> = {};
  for (const id of suiteIds) {
    const publicKey = bundle.suites[id];
    if (publicKey !== undefined) keys[id] = base64url.encode(publicKey);
  }
  const bytes = utf8(
    JSON.stringify({
      v: [subprotocol],
      kid: bundle.kid,
      suites: keys,
      idKey: base64url.encode(bundle.idKey),
      exp: bundle.exp,
    }),
  );
  parseBundle(bytes);
  return bytes;
}

/**
 * Shape only: signature, pin and expiry are libs/crypto's `verifyBundle`. Suites that this version does not know are passed
 * over, so that a server can offer newer ones.
 *
 * @throws {ProtocolError} `unsupported` where version or suites have nothing in common with ours, else `malformed`.
 */
export function parseBundle(bytes: Uint8Array): Bundle {
  if (bytes.length > limits.bundleBytes) throw new ProtocolError("too-large", "bundle");
  const fields = parseJson(schema, textOf(bytes, "bundle"), "bundle");
  if (!fields.v.includes(subprotocol)) throw new ProtocolError("unsupported", "bundle.v");
  const keys: Partial<Record<SuiteId, Uint8Array>> = {};
  for (const [id, encoded] of Object.entries(fields.suites)) {
    const publicKey = base64url.decode(encoded, "bundle.suites");
    if (!isSuiteId(id)) continue;
    if (publicKey.length !== suites[id].publicKeyBytes) throw new ProtocolError("malformed", "bundle.suites");
    keys[id] = publicKey;
  }
  if (Object.keys(keys).length === 0) throw new ProtocolError("unsupported", "bundle.suites");
  const idKey = base64url.decode(fields.idKey, "bundle.idKey");
  if (idKey.length !== 32) throw new ProtocolError("malformed", "bundle.idKey");
  return { v: fields.v, kid: fields.kid, suites: keys, idKey, exp: fields.exp };
}
