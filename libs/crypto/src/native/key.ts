import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import type { Key } from "hpke";

export type Curve = "x25519" | "ml-kem-768";

/** A key of a KEM, as the library takes it: handles of OpenSSL's, whose bytes JavaScript does not see unless it asks for them. */
export class NativeKey implements Key {
  readonly algorithm: { name: string };
  readonly type: "private" | "public";
  readonly extractable: boolean;
  readonly handles: readonly KeyObject[];
  constructor(name: string, type: "private" | "public", extractable: boolean, handles: readonly KeyObject[]) {
    this.algorithm = { name };
    this.type = type;
    this.extractable = extractable;
    this.handles = handles;
  }
}

export function publicFrom(kind: Curve, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(raw), format: "raw-public", asymmetricKeyType: kind });
}

/** @param raw of X25519 the scalar, of ML-KEM-768 the seed (d ‖ z, 64 bytes) */
export function privateFrom(kind: Curve, raw: Uint8Array): KeyObject {
  const format = kind === "x25519" ? "raw-private" : "raw-seed";
  return createPrivateKey({ key: Buffer.from(raw), format, asymmetricKeyType: kind });
}

export function rawPublic(key: KeyObject): Uint8Array {
  const handle = key.type === "private" ? createPublicKey(key) : key;
  return new Uint8Array(handle.export({ format: "raw-public" }));
}
