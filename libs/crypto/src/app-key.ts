import { base64url } from "@portcullis/protocol";
import { expand, type Random, secureRandom } from "./derive.ts";
import { CryptoError } from "./errors.ts";

/** Proves a holder. Shown once as `pc1.<keyId>.<secret>.<fingerprint>`; whoever has it can also pin the server. */
export interface AppKey {
  /** 16 characters of base64url. */
  readonly keyId: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Of the server's identity. */
  readonly fingerprint: string;
}

const secretBytes = 32;
const keyIdBytes = 12;
const shape = /^pc1\.([A-Za-z0-9_-]{16})\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{22})$/;

/** @param fingerprint of the server's identity. */
export function generateAppKey(fingerprint: string, random: Random = secureRandom): AppKey {
  const key = { keyId: base64url.encode(random(keyIdBytes)), secret: random(secretBytes), fingerprint };
  parseAppKey(formatAppKey(key));
  return key;
}

export function formatAppKey(key: AppKey): string {
  return `pc1.${key.keyId}.${base64url.encode(key.secret)}.${key.fingerprint}`;
}

/** @throws {CryptoError} `key`; the error does not repeat the text. */
export function parseAppKey(text: string): AppKey {
  const [, keyId, secret, fingerprint] = shape.exec(text) ?? [];
  if (keyId === undefined || secret === undefined || fingerprint === undefined) throw new CryptoError("key");
  try {
    base64url.decode(fingerprint);
    return { keyId, secret: base64url.decode(secret), fingerprint };
  } catch {
    throw new CryptoError("key");
  }
}

/** Exp(K, "psk"): what HPKE gets and the `keys` service may hold; K itself stays with its holder and under the master key. */
export async function appKeyPsk(secret: Uint8Array): Promise<Uint8Array> {
  if (secret.length !== secretBytes) throw new CryptoError("key");
  return expand(secret, "psk");
}

export function appKeyPskId(keyId: string): string {
  return `k:${keyId}`;
}
