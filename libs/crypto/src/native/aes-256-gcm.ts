import { createCipheriv, createDecipheriv } from "node:crypto";
import type { AEAD } from "hpke";

const tagBytes = 16;
const algorithm = "aes-256-gcm";

/** RFC 5116 section 5.2, the tag behind the ciphertext. */
export const AES_256_GCM = (): AEAD => ({
  id: 0x0002,
  type: "AEAD",
  name: "AES-256-GCM",
  Nk: 32,
  Nn: 12,
  Nt: tagBytes,
  async Seal(key, nonce, aad, plaintext) {
    const cipher = createCipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(aad);
    return new Uint8Array(Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]));
  },
  async Open(key, nonce, aad, sealed) {
    // A shorter tag would be taken for a whole one of fewer bits.
    if (sealed.length < tagBytes) throw new RangeError("shorter than a tag");
    const at = sealed.length - tagBytes;
    const cipher = createDecipheriv(algorithm, key, nonce, { authTagLength: tagBytes }).setAAD(aad);
    cipher.setAuthTag(sealed.subarray(at));
    return new Uint8Array(Buffer.concat([cipher.update(sealed.subarray(0, at)), cipher.final()]));
  },
});
