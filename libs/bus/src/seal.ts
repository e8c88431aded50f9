import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { type ServiceName, services } from "@portcullis/contracts";

/**
 * The service seal. The bus, and whoever records it, is trusted with neither codes, paths, contacts nor passwords: every body
 * travels encrypted and authenticated under a key that only its sender and its receiver can derive.
 *
 *     key   = HKDF-SHA256(salt = instance, ikm = X25519(own private, peer public),
 *                         info = "portcullis/1 service-seal\0" || sender || "\0" || receiver, 32)
 *     wire  = version 02 || instance 16 || counter u64be || time u64be (epoch ms) || AES-256-GCM ciphertext || tag 16
 *     nonce = u32be(0) || counter
 *     AAD   = version || instance || counter || time || lp(subject) || lp(direction) || lp(id)          lp(x) = u32be(len) || x
 *
 * `instance` is random for each process life and replaced after 2^23 seals, so a (key, nonce) pair never comes twice. The
 * sender's name is part of the derivation: whoever lies about it has not got the key. Subject, direction and id are bound, so
 * a body cannot be moved to another question, nor an answer to another request. What was sealed more than 30 s ago by the
 * receiver's clock, or that far in its future, does not open.
 *
 * What it does not do: there is no forward secrecy (who records the bus and later obtains the private key of either side can
 * read what these two said); a replay within those 30 s opens again (requests are then claimed by their id where it would
 * matter, see `replay` in the contracts, and events say how a repetition is noticed); sizes, subjects, times and headers stay visible. Either side could have made a body.
 */
export interface ServiceSeal {
  readonly self: ServiceName;
  seal(receiver: ServiceName, context: SealContext, plaintext: Uint8Array): Uint8Array;
  /** @throws {SealError} not made by `sender` for this service and this context, altered, or not of now */
  open(sender: ServiceName, context: SealContext, sealed: Uint8Array): Uint8Array;
}

export interface SealContext {
  readonly subject: string;
  readonly direction: "req" | "rep" | "err" | "evt";
  /** Of the request, or of the event. */
  readonly id: string;
}

export class SealError extends Error {
  override readonly name = "SealError";
  /** For operators; whoever sent it gets no answer. */
  constructor(reason = "its seal does not open") {
    super(reason);
  }
}

/** How long what was sealed opens, and how far the clocks of two machines may differ. Longer than any call may take. */
export const freshForMs = 30_000;

/** The raw X25519 public key of every service, base64url. */
export type SealDirectory = Readonly<Record<ServiceName, string>>;

export interface ServiceSealOptions {
  readonly self: ServiceName;
  /** Raw X25519 private key, 32 bytes, base64url. */
  readonly privateKey: string;
  readonly directory: SealDirectory;
  /** Instance ids must never repeat under one private key. Default: the system's generator. */
  readonly random?: (bytes: number) => Uint8Array;
  /** Epoch ms. Default: the system's. */
  readonly clock?: () => number;
  /** Seals under one instance id. Default, and most: 2^23. */
  readonly sealsPerInstance?: number;
}

const version = 2;
const instanceBytes = 16;
const counterAt = 1 + instanceBytes;
const timeAt = counterAt + 8;
const headerBytes = timeAt + 8;
const tagBytes = 16;
const keyBytes = 32;
const sealsPerInstanceMax = 2 ** 23;
const openingKeysMax = 1024;

// RFC 8410: what stands before the raw key in PKCS #8 and SPKI.
const pkcs8Prefix = Buffer.from("302e020100300506032b656e04220420", "hex");
const spkiPrefix = Buffer.from("302a300506032b656e032100", "hex");

function rawKey(text: string, what: string): Buffer {
  const raw = Buffer.from(text, "base64url");
  if (raw.length !== keyBytes || raw.toString("base64url") !== text) {
    throw new TypeError(`${what} is not 32 bytes in base64url`);
  }
  return raw;
}

function rawPublic(key: KeyObject): string {
  return createPublicKey(key).export({ type: "spki", format: "der" }).subarray(spkiPrefix.length).toString("base64url");
}

/** For set-up: both raw, base64url. */
export function generateServiceKeyPair(): { readonly privateKey: string; readonly publicKey: string } {
  const { privateKey } = generateKeyPairSync("x25519");
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  return { privateKey: der.subarray(pkcs8Prefix.length).toString("base64url"), publicKey: rawPublic(privateKey) };
}

function frame(...parts: readonly string[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, "utf8");
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

/** A Buffer's `slice` shares memory and its JSON differs: what leaves here is the class that it says. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

/** @throws {TypeError} a key is malformed, of low order, or the private key is not the one that the directory names for `self` */
export function createServiceSeal({
  self,
  privateKey,
  directory,
  random = randomBytes,
  clock = Date.now,
  sealsPerInstance = sealsPerInstanceMax,
}: ServiceSealOptions): ServiceSeal {
  const der = Buffer.concat([pkcs8Prefix, rawKey(privateKey, `the seal key of ${self}`)]);
  const own = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  if (rawPublic(own) !== directory[self])
    throw new TypeError(`the seal key of ${self} is not the one in the directory`);

  if (!(sealsPerInstance >= 1 && sealsPerInstance <= sealsPerInstanceMax)) {
    throw new TypeError("seals per instance: 1 to 2^23");
  }

  const shared = new Map<ServiceName, Buffer>();
  for (const peer of services) {
    const spki = Buffer.concat([spkiPrefix, rawKey(directory[peer], `the public seal key of ${peer}`)]);
    try {
      const publicKey = createPublicKey({ key: spki, format: "der", type: "spki" });
      shared.set(peer, diffieHellman({ privateKey: own, publicKey }));
    } catch (cause) {
      throw new TypeError(`the public seal key of ${peer} is unusable`, { cause });
    }
  }

  const derive = (peer: ServiceName, instance: Uint8Array, sender: ServiceName, receiver: ServiceName): KeyObject => {
    const ikm = shared.get(peer);
    if (ikm === undefined) throw new SealError();
    const info = `portcullis/1 service-seal\0${sender}\0${receiver}`;
    return createSecretKey(Buffer.from(hkdfSync("sha256", ikm, instance, info, keyBytes)));
  };

  const freshInstance = (): Uint8Array => {
    const bytes = random(instanceBytes);
    if (bytes.length !== instanceBytes) throw new TypeError("the generator gave no 16 bytes");
    return bytes;
  };
  let instance = freshInstance();
  let counter = 0;
  let sealingKeys = new Map<ServiceName, KeyObject>();
  const openingKeys = new Map<string, KeyObject>();

  return {
    self,

    seal(receiver, { subject, direction, id }, plaintext) {
      if (counter >= sealsPerInstance) {
        instance = freshInstance();
        counter = 0;
        sealingKeys = new Map();
      }
      const key = sealingKeys.get(receiver) ?? derive(receiver, instance, self, receiver);
      sealingKeys.set(receiver, key);
      const header = Buffer.alloc(headerBytes);
      header[0] = version;
      header.set(instance, 1);
      header.writeBigUInt64BE(BigInt(counter), counterAt);
      header.writeBigUInt64BE(BigInt(clock()), timeAt);
      counter += 1;
      const nonce = Buffer.concat([Buffer.alloc(4), header.subarray(counterAt, timeAt)]);
      const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
      cipher.setAAD(Buffer.concat([header, frame(subject, direction, id)]));
      return plain(Buffer.concat([header, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
    },

    open(sender, { subject, direction, id }, sealed) {
      if (sealed.length < headerBytes + tagBytes || sealed[0] !== version) throw new SealError();
      const header = Buffer.from(sealed.buffer, sealed.byteOffset, headerBytes);
      const from = header.subarray(1, counterAt);
      const cacheKey = `${sender} ${from.toString("base64url")}`;
      const key = openingKeys.get(cacheKey) ?? derive(sender, from, sender, self);
      const nonce = Buffer.concat([Buffer.alloc(4), header.subarray(counterAt, timeAt)]);
      let plaintext: Buffer;
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
        decipher.setAAD(Buffer.concat([header, frame(subject, direction, id)]));
        decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
        plaintext = decipher.update(sealed.subarray(headerBytes, sealed.length - tagBytes));
        decipher.final();
        // Kept only now that it opened something: made-up instance ids must not push out the real ones.
        openingKeys.delete(cacheKey);
        openingKeys.set(cacheKey, key);
        if (openingKeys.size > openingKeysMax) {
          const [oldest] = openingKeys.keys();
          if (oldest !== undefined) openingKeys.delete(oldest);
        }
      } catch {
        throw new SealError();
      }
      const ageMs = clock() - Number(header.readBigUInt64BE(timeAt));
      if (Math.abs(ageMs) > freshForMs) {
        throw new SealError(
          `it was sealed ${ageMs} ms ago by this machine's clock: sent again, or the clocks of the machines differ`,
        );
      }
      return plain(plaintext);
    },
  };
}
