import * as z from "zod/mini";
import { base64url } from "../base64url.ts";
import { utf8 } from "../bytes.ts";
import { ProtocolError } from "../errors.ts";
import { bytes32, count, epochMs, label, text } from "../fields.ts";
import { parseJson, textOf } from "../json.ts";
import { limits } from "../limits.ts";
import { isSuiteId, type SuiteId, suiteIds, suites } from "../suites.ts";
import { keyIdBytes } from "./sealed-body.ts";

/** 16 bytes as canonical base64url; the last of 22 characters carries 2 bits. */
export const fingerprintText = z.string().check(z.regex(/^[A-Za-z0-9_-]{21}[AQgw]$/));

/** Label of the socket's address, which whoever connects has from elsewhere than from the server; and the recipient's name there. */
const whose = { socket: text(limits.labelChars, 1), name: label };

/** An identity says whose it is; signed by itself, and by the one before it. */
export interface IdentityStatement {
  readonly socket: string;
  readonly name: string;
  /** Raw Ed25519 key. */
  readonly key: Uint8Array;
  /** Epoch milliseconds of whoever made it. */
  readonly at: number;
  /** Fingerprint of the identity before; absent in the first. */
  readonly before?: string | undefined;
}

const identitySchema = z.strictObject({
  ...whose,
  key: bytes32,
  at: epochMs,
  before: z.optional(fingerprintText),
});

/** What is sealed to, for a while; signed by the identity. */
export interface PrekeyStatement {
  readonly socket: string;
  readonly name: string;
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** KEM public keys, at least one. */
  readonly suites: Readonly<Partial<Record<SuiteId, Uint8Array>>>;
  /** Epoch milliseconds. */
  readonly from: number;
  readonly until: number;
}

const prekeySchema = z.strictObject({
  ...whose,
  id: z.string(),
  suites: z.record(z.string().check(z.regex(/^[0-9a-f]{4}$/)), z.string()),
  from: epochMs,
  until: count(Number.MAX_SAFE_INTEGER, 1),
});

/** JSON of a statement at most, in bytes. */
export const identityStatementBytesMax = 512;
export const prekeyStatementBytesMax = 2_304;

/** @returns the bytes to sign, and to hand on as they are. @throws {ProtocolError} on what nobody would take. */
export function encodeIdentityStatement({ key, ...rest }: IdentityStatement): Uint8Array {
  const bytes = utf8(JSON.stringify({ ...rest, key: base64url.encode(key) }));
  parseIdentityStatement(bytes);
  return bytes;
}

/** Shape only. @throws {ProtocolError} */
export function parseIdentityStatement(bytes: Uint8Array): IdentityStatement {
  if (bytes.length > identityStatementBytesMax) throw new ProtocolError("too-large", "identity");
  const { key, ...rest } = parseJson(identitySchema, textOf(bytes, "identity"), "identity");
  return { ...rest, key: base64url.decode(key) };
}

/** @returns the bytes to sign, and to hand on as they are. @throws {ProtocolError} on what nobody would take. */
export function encodePrekeyStatement({ id, suites: keys, ...rest }: PrekeyStatement): Uint8Array {
  const written: Record<string, string> = {};
  for (const suite of suiteIds) {
    const publicKey = keys[suite];
    if (publicKey !== undefined) written[suite] = base64url.encode(publicKey);
  }
  const bytes = utf8(JSON.stringify({ ...rest, id: base64url.encode(id), suites: written }));
  parsePrekeyStatement(bytes);
  return bytes;
}

/** Shape only; suites that are not known here are passed over. @throws {ProtocolError} */
export function parsePrekeyStatement(bytes: Uint8Array): PrekeyStatement {
  if (bytes.length > prekeyStatementBytesMax) throw new ProtocolError("too-large", "prekey");
  const { suites: written, id: idText, ...rest } = parseJson(prekeySchema, textOf(bytes, "prekey"), "prekey");
  const id = base64url.decode(idText, "prekey.id");
  if (id.length !== keyIdBytes || rest.until <= rest.from) throw new ProtocolError("malformed", "prekey");
  const keys: Partial<Record<SuiteId, Uint8Array>> = {};
  for (const [suite, encoded] of Object.entries(written)) {
    const publicKey = base64url.decode(encoded, "prekey.suites");
    if (!isSuiteId(suite)) continue;
    if (publicKey.length !== suites[suite].publicKeyBytes) throw new ProtocolError("malformed", "prekey.suites");
    keys[suite] = publicKey;
  }
  if (Object.keys(keys).length === 0) throw new ProtocolError("unsupported", "prekey.suites");
  return { ...rest, id, suites: keys };
}
