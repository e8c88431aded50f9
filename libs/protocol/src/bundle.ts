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
  /** By which `idKey` came after keys that some still pin: each followed the one before it. Oldest first. */
  readonly successions?: readonly Succession[] | undefined;
}

/** A key says which one follows it: the `key` of the next entry, or the bundle's `idKey`. */
export interface Succession {
  /** Ed25519 public key that was followed, 32 bytes. */
  readonly key: Uint8Array;
  /** Epoch seconds between which it counts. */
  readonly from: number;
  readonly until: number;
  /** Ed25519 under `key`, 64 bytes. */
  readonly sig: Uint8Array;
}

/** Whoever pins an older key has slept through that many rotations and needs another pin. */
export const successionsMax = 4;

const schema = z.strictObject({
  v: z.array(z.string().check(z.regex(/^[a-z0-9.-]{1,32}$/))).check(z.minLength(1), z.maxLength(8)),
  kid: label,
  suites: z.record(z.string().check(z.regex(/^[0-9a-f]{4}$/)), z.string()),
  idKey: z.string(),
  exp: count(2 ** 40),
  successions: z.optional(
    z
      .array(z.strictObject({ key: z.string(), from: count(2 ** 40), until: count(2 ** 40), sig: z.string() }))
      .check(z.minLength(1), z.maxLength(successionsMax)),
  ),
});

/** @returns the JSON bytes to sign. */
export function encodeBundle(bundle: Omit<Bundle, "v">): Uint8Array {
  const keys: Record<string, string> = {};
  for (const id of suiteIds) {
    const publicKey = bundle.suites[id];
    if (publicKey !== undefined) keys[id] = base64url.encode(publicKey);
  }
  const { successions = [] } = bundle;
  const bytes = utf8(
    JSON.stringify({
      v: [subprotocol],
      kid: bundle.kid,
      suites: keys,
      idKey: base64url.encode(bundle.idKey),
      exp: bundle.exp,
      ...(successions.length === 0 ? {} : { successions: successions.map(written) }),
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
  const idKey = bytesOf(fields.idKey, 32, "bundle.idKey");
  const { v, kid, exp, successions } = fields;
  if (successions === undefined) return { v, kid, suites: keys, idKey, exp };
  return { v, kid, suites: keys, idKey, exp, successions: successions.map(read) };
}

type Written = { readonly key: string; readonly from: number; readonly until: number; readonly sig: string };

function written({ key, from, until, sig }: Succession): Written {
  return { key: base64url.encode(key), from, until, sig: base64url.encode(sig) };
}

function read({ key, from, until, sig }: Written): Succession {
  const field = "bundle.successions";
  return { key: bytesOf(key, 32, field), from, until, sig: bytesOf(sig, 64, field) };
}

function bytesOf(text: string, length: number, field: string): Uint8Array {
  const bytes = base64url.decode(text, field);
  if (bytes.length !== length) throw new ProtocolError("malformed", field);
  return bytes;
}
