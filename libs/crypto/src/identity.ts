import { base64url, concat } from "@portcullis/protocol";
import { H, L, type Random, secureRandom } from "./derive.ts";
import { CryptoError } from "./errors.ts";

type PrivateKey = Awaited<ReturnType<typeof importPrivate>>;

/** The server's long-lived signing key (Ed25519). */
export interface Identity {
  /** Not extractable. */
  readonly privateKey: PrivateKey;
  /** Raw, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly fingerprint: string;
}

const seedBytes = 32;
/** RFC 8410 section 7: what stands before the seed in PKCS #8. */
const pkcs8Prefix = Uint8Array.of(48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32);

function importPrivate(pkcs8: Uint8Array, extractable: boolean) {
  return crypto.subtle.importKey("pkcs8", concat(pkcs8), "Ed25519", extractable, ["sign"]);
}

/**
 * @param key a seed of 32 bytes, or PKCS #8 (DER).
 * @throws {CryptoError} `key`
 */
export async function importIdentity(key: Uint8Array): Promise<Identity> {
  const pkcs8 = key.length === seedBytes ? concat(pkcs8Prefix, key) : key;
  try {
    // WebCrypto has no way from a private key to its public one but the JWK.
    const { x } = await crypto.subtle.exportKey("jwk", await importPrivate(pkcs8, true));
    const publicKey = base64url.decode(x ?? "");
    return {
      privateKey: await importPrivate(pkcs8, false),
      publicKey,
      fingerprint: await fingerprint(publicKey),
    };
  } catch {
    throw new CryptoError("key");
  }
}

/** @returns the identity, and the seed for whoever stores it wrapped under the master key; to be erased then. */
export async function generateIdentity(
  random: Random = secureRandom,
): Promise<{ readonly identity: Identity; readonly seed: Uint8Array }> {
  const seed = random(seedBytes);
  return { identity: await importIdentity(seed), seed };
}

/**
 * What a holder of an app key pins: the first 16 bytes of H(L("idkey") ‖ raw key), base64url, 22 characters. 128 bits against
 * a second key for a given fingerprint; who could choose both keys would be the server's owner.
 *
 * @param idKey raw Ed25519 public key.
 */
export async function fingerprint(idKey: Uint8Array): Promise<string> {
  if (idKey.length !== 32) throw new CryptoError("key");
  return base64url.encode((await H(L("idkey"), idKey)).subarray(0, 16));
}

/** Sig(label, message) = Ed25519(L(label) ‖ message). */
export async function sign(identity: Identity, label: string, message: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.sign("Ed25519", identity.privateKey, concat(L(label), message)));
}

/**
 * What a key of small order looks like, in whichever encoding and without the bit of its sign: under it one signature fits many messages, or all, so
 * that it says nothing of who signed what. RFC 8032 does not ask for it to be refused, and not every platform does.
 */
const smallOrder: ReadonlySet<string> = new Set([
  `00${"00".repeat(31)}`,
  `01${"00".repeat(31)}`,
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  `ec${"ff".repeat(30)}7f`,
  `ed${"ff".repeat(30)}7f`,
  `ee${"ff".repeat(30)}7f`,
]);

function isOfSmallOrder(idKey: Uint8Array): boolean {
  const bytes = Array.from(idKey, (byte, index) => (index === idKey.length - 1 ? byte & 0x7f : byte));
  return smallOrder.has(bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(""));
}

/** False for a bad signature, a bad key (one of small order among them), and anything else. @throws {CryptoError} `suite` where the platform has no Ed25519 */
export async function verify(
  idKey: Uint8Array,
  label: string,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<boolean> {
  if (isOfSmallOrder(idKey)) return false;
  try {
    const publicKey = await crypto.subtle.importKey("raw", concat(idKey), "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", publicKey, concat(signature), concat(L(label), message));
  } catch (error) {
    // An older browser says nothing of the signature by that.
    if (error instanceof Error && error.name === "NotSupportedError") throw new CryptoError("suite");
    return false;
  }
}
