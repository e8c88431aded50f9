import { createHmac } from "node:crypto";
import type { KDF } from "hpke";

const hashBytes = 32;

const hmac = (key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array => {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
};

/** RFC 5869. Node's own HKDF does both halves in one, and HPKE wants them apart. */
export const HKDF_SHA256 = (): KDF => ({
  id: 0x0001,
  type: "KDF",
  name: "HKDF-SHA256",
  Nh: hashBytes,
  stages: 2,
  Extract: async (salt, ikm) => hmac(salt, ikm),
  async Expand(prk, info, length) {
    // Beyond it the count of blocks begins anew, and so does what comes out.
    if (length > 255 * hashBytes) throw new RangeError("more than HKDF gives");
    const output = new Uint8Array(length);
    let block: Uint8Array = new Uint8Array();
    for (let at = 0, index = 1; at < length; at += hashBytes, index += 1) {
      block = hmac(prk, block, info, Uint8Array.of(index));
      output.set(block.subarray(0, length - at), at);
    }
    return output;
  },
  Derive: () => Promise.reject(new TypeError("HKDF has two stages")),
});
