import { base64url } from "@portcullis/protocol";
import { H, L, type Random, secureRandom } from "../derive.ts";
import { CryptoError } from "../errors.ts";
import { type Identity, importIdentity } from "../identity.ts";

const seedBytes = 32;
const shape = /^pe1\.([A-Za-z0-9_-]{43})$/;

/**
 * By what people and programs know who they seal to: the first 16 bytes of H(L("e2e id") ‖ raw key), base64url, 22 characters.
 *
 * @param key raw Ed25519 public key. @throws {CryptoError} `key`
 */
export async function endToEndFingerprint(key: Uint8Array): Promise<string> {
  if (key.length !== 32) throw new CryptoError("key");
  return base64url.encode((await H(L("e2e id"), key)).subarray(0, 16));
}

/** @returns `pe1.<base64url of 32 bytes>`, the whole secret of an identity that no server has. */
export function generateEndToEndIdentity(random: Random = secureRandom): string {
  return `pe1.${base64url.encode(random(seedBytes))}`;
}

/** Its `fingerprint` is that of this layer, not a server's. @throws {CryptoError} `key`; the error does not repeat the text. */
export async function importEndToEndIdentity(text: string): Promise<Identity> {
  const [, encoded] = shape.exec(text) ?? [];
  if (encoded === undefined) throw new CryptoError("key");
  let seed: Uint8Array;
  try {
    seed = base64url.decode(encoded);
  } catch {
    throw new CryptoError("key");
  }
  const { privateKey, publicKey } = await importIdentity(seed);
  seed.fill(0);
  return { privateKey, publicKey, fingerprint: await endToEndFingerprint(publicKey) };
}
