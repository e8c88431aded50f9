/**
 * The key schedule a second time, from docs/protocol.md, with nothing but node:crypto and HMAC by hand. It makes the vectors
 * and checks them; it shares no line with libs/crypto, so that one mistake cannot hide in both.
 */
import * as node from "node:crypto";

type Bytes = Uint8Array;

export const text = (value: string): Buffer => Buffer.from(value, "utf8");
export const hex = (value: string): Buffer => Buffer.from(value, "hex");
export const toHex = (value: Bytes): string => Buffer.from(value).toString("hex");
export const b64 = (value: Bytes): string => Buffer.from(value).toString("base64url");
const cat = (...parts: readonly Bytes[]): Buffer => Buffer.concat(parts);

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export const lp = (value: Bytes): Buffer => cat(u32(value.length), value);
export const L = (label: string): Buffer => cat(text("portcullis/1 "), text(label), Buffer.alloc(1));
export const H = (...parts: readonly Bytes[]): Buffer => node.createHash("sha256").update(cat(...parts)).digest();

const hmac = (key: Bytes, ...parts: readonly Bytes[]): Buffer =>
  node.createHmac("sha256", key).update(cat(...parts)).digest();

/** RFC 5869 section 2.2; an empty salt is 32 zeros, which HMAC's own padding makes of it. */
export const extract = (salt: Bytes, ikm: Bytes): Buffer => hmac(salt, ikm);

/** RFC 5869 section 2.3. */
export function hkdfExpand(prk: Bytes, info: Bytes, length: number): Buffer {
  let output: Buffer = Buffer.alloc(0);
  let block: Buffer = Buffer.alloc(0);
  for (let index = 1; output.length < length; index++) {
    block = hmac(prk, block, info, Buffer.of(index));
    output = cat(output, block);
  }
  return output.subarray(0, length);
}

export const Exp = (key: Bytes, label: string, context: Bytes = Buffer.alloc(0), length = 32): Buffer =>
  hkdfExpand(key, cat(L(label), context), length);

// RFC 8410: DER around raw 32-byte keys.
const der = {
  ed25519Private: hex("302e020100300506032b657004220420"),
  ed25519Public: hex("302a300506032b6570032100"),
  x25519Private: hex("302e020100300506032b656e04220420"),
  x25519Public: hex("302a300506032b656e032100"),
  // FIPS 203 keys, RFC 9935: the seed form of an ML-KEM-768 private key, and the public key.
  mlkemPrivate: hex("3054020100300b06096086480165030404020442" + "8040"),
  mlkemPublic: hex("308204b2300b0609608648016503040402038204a100"),
};

const privateKey = (prefix: Bytes, raw: Bytes) =>
  node.createPrivateKey({ key: cat(prefix, raw), format: "der", type: "pkcs8" });
const publicKey = (prefix: Bytes, raw: Bytes) =>
  node.createPublicKey({ key: cat(prefix, raw), format: "der", type: "spki" });
const rawPublic = (key: node.KeyObject, length: number): Buffer =>
  node.createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-length);

export const ed25519Public = (seed: Bytes): Buffer => rawPublic(privateKey(der.ed25519Private, seed), 32);
export const sign = (seed: Bytes, label: string, message: Bytes): Buffer =>
  node.sign(null, cat(L(label), message), privateKey(der.ed25519Private, seed));
export const verifies = (key: Bytes, label: string, message: Bytes, signature: Bytes): boolean =>
  node.verify(null, cat(L(label), message), publicKey(der.ed25519Public, key), signature);

export const x25519Public = (secret: Bytes): Buffer => rawPublic(privateKey(der.x25519Private, secret), 32);
export const x25519 = (secret: Bytes, peer: Bytes): Buffer =>
  node.diffieHellman({
    privateKey: privateKey(der.x25519Private, secret),
    publicKey: publicKey(der.x25519Public, peer),
  });

// HPKE, RFC 9180.
const labelled = (suite: Bytes, label: string): Buffer => cat(text("HPKE-v1"), suite, text(label));
const labeledExtract = (suite: Bytes, salt: Bytes, label: string, ikm: Bytes): Buffer =>
  extract(salt, cat(labelled(suite, label), ikm));
const labeledExpand = (suite: Bytes, prk: Bytes, label: string, info: Bytes, length: number): Buffer =>
  hkdfExpand(prk, cat(u16(length), labelled(suite, label), info), length);

/** RFC 9180 section 4.1, DHKEM(X25519, HKDF-SHA256): from the Diffie-Hellman value to the shared secret. */
export function dhkem(dh: Bytes, enc: Bytes, recipient: Bytes): Buffer {
  const suite = cat(text("KEM"), u16(0x0020));
  return labeledExpand(suite, labeledExtract(suite, Buffer.alloc(0), "eae_prk", dh), "shared_secret", cat(enc, recipient), 32);
}
export const x25519Encap = (ephemeral: Bytes, recipient: Bytes): Buffer =>
  dhkem(x25519(ephemeral, recipient), x25519Public(ephemeral), recipient);
export const x25519Decap = (secret: Bytes, enc: Bytes): Buffer =>
  dhkem(x25519(secret, enc), enc, x25519Public(secret));

/** draft-ietf-hpke-pq, MLKEM768-X25519: 32 bytes become both private keys. */
function hybridKeys(seed: Bytes) {
  const expanded = node.createHash("shake256", { outputLength: 96 }).update(seed).digest();
  return { mlkem: privateKey(der.mlkemPrivate, expanded.subarray(0, 64)), x25519: expanded.subarray(64) };
}
export function hybridPublic(seed: Bytes): Buffer {
  const keys = hybridKeys(seed);
  return cat(rawPublic(keys.mlkem, 1184), x25519Public(keys.x25519));
}
export function hybridCombine(mlkem: Bytes, dh: Bytes, enc: Bytes, recipient: Bytes): Buffer {
  const label = Buffer.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);
  return node.createHash("sha3-256").update(cat(mlkem, dh, enc.subarray(1088), recipient.subarray(1184), label)).digest();
}
export function hybridDecap(seed: Bytes, enc: Bytes): Buffer {
  const keys = hybridKeys(seed);
  const shared = node.decapsulate(keys.mlkem, enc.subarray(0, 1088));
  return hybridCombine(shared, x25519(keys.x25519, enc.subarray(1088)), enc, hybridPublic(seed));
}
/** Random: node:crypto does not let the encapsulation be chosen, so its result is recorded in the vectors. */
export function hybridEncap(recipient: Bytes): Buffer {
  const { ciphertext } = node.encapsulate(publicKey(der.mlkemPublic, recipient.subarray(0, 1184)));
  return cat(ciphertext, x25519Public(node.randomBytes(32)));
}

/** RFC 9180 section 5.1. `aead` 1 is AES-128-GCM, 2 AES-256-GCM. */
export function keySchedule(input: { kem: number; aead: 1 | 2; shared: Bytes; info: Bytes; psk: Bytes; pskId: Bytes }) {
  const suite = cat(text("HPKE"), u16(input.kem), u16(1), u16(input.aead));
  const none = Buffer.alloc(0);
  const mode = Buffer.of(input.psk.length === 0 ? 0 : 1);
  const pskIdHash = labeledExtract(suite, none, "psk_id_hash", input.pskId);
  const infoHash = labeledExtract(suite, none, "info_hash", input.info);
  const context = cat(mode, pskIdHash, infoHash);
  const secret = labeledExtract(suite, input.shared, "secret", input.psk);
  const exporter = labeledExpand(suite, secret, "exp", context, 32);
  return {
    key: labeledExpand(suite, secret, "key", context, input.aead === 1 ? 16 : 32),
    baseNonce: labeledExpand(suite, secret, "base_nonce", context, 12),
    exporter,
    export: (label: Bytes, length: number): Buffer => labeledExpand(suite, exporter, "sec", label, length),
  };
}

export function aesSeal(key: Bytes, nonce: Bytes, aad: Bytes, plaintext: Bytes): Buffer {
  const cipher = node.createCipheriv(key.length === 16 ? "aes-128-gcm" : "aes-256-gcm", key, nonce);
  cipher.setAAD(aad);
  return cat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag());
}
export function aesOpen(key: Bytes, nonce: Bytes, aad: Bytes, sealed: Bytes): Buffer {
  const decipher = node.createDecipheriv(key.length === 16 ? "aes-128-gcm" : "aes-256-gcm", key, nonce);
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(-16));
  return cat(decipher.update(sealed.subarray(0, -16)), decipher.final());
}

export function pad(plaintext: Bytes): Buffer {
  const needed = plaintext.length + 4;
  const length = [256, 1024].find((bucket) => needed <= bucket) ?? Math.ceil(needed / 4096) * 4096;
  return cat(u32(plaintext.length), plaintext, Buffer.alloc(length - needed));
}

/** A record with every value on the way to it. */
export function record(input: {
  type: number;
  secret: Bytes;
  writer: Bytes | null;
  generation: number;
  counter: number;
  plaintext: Bytes;
}) {
  const writer = input.writer ?? Buffer.alloc(0);
  const key = input.writer === null ? Exp(input.secret, "key") : Exp(input.secret, "w", writer);
  const nonce = cat(u32(0), u64(input.counter));
  const header = cat(Buffer.of(input.type), u32(input.generation), writer, u64(input.counter));
  return { key, nonce, header, record: cat(header, aesSeal(key, nonce, header, pad(input.plaintext))) };
}

/** A record for everybody on a socket, likewise. */
/** The group's key at a later step of the same epoch. */
export function stepsOn(secret: Bytes, steps: number): Bytes {
  return steps === 0 ? secret : stepsOn(Exp(secret, "step"), steps - 1);
}

/** @param input.secret of step 0 */
export function groupRecord(input: {
  socket: string;
  secret: Bytes;
  signing: Bytes;
  epoch: number;
  step: number;
  writer: Bytes;
  counter: number;
  plaintext: Bytes;
}) {
  const socket = lp(text(input.socket));
  const start = cat(Buffer.of(0x30), u32(input.epoch), u32(input.step), input.writer);
  const key = Exp(stepsOn(input.secret, input.step), "g", cat(socket, start));
  const header = cat(start, u64(input.counter));
  const ciphertext = aesSeal(key, cat(u32(0), u64(input.counter)), header, pad(input.plaintext));
  const signature = sign(input.signing, "group", cat(socket, header, ciphertext));
  return { key, header, ciphertext, signature, record: cat(header, ciphertext, signature) };
}
