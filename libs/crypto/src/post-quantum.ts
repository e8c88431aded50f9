import { KEM_MLKEM768_X25519 } from "@panva/hpke-noble";
import { AEAD_AES_256_GCM, CipherSuite, KDF_HKDF_SHA256, type KEM } from "hpke";

const encapsulationKeyBytes = 1184;
const seedBytes = 32;
const q = 3329;

/**
 * The modulus check of FIPS 203 section 7.2, which the library leaves out: a key with a coefficient that is not below q has another, proper one
 * that behaves like it, and who is given it would agree on a secret with somebody who takes the check for done.
 */
function hasProperCoefficients(encapsulationKey: Uint8Array): boolean {
  const packed = encapsulationKey.subarray(0, encapsulationKeyBytes - seedBytes);
  for (let at = 0; at < packed.length; at += 3) {
    const [low = 0, middle = 0, high = 0] = packed.subarray(at, at + 3);
    if ((low | ((middle & 15) << 8)) >= q || ((middle >> 4) | (high << 4)) >= q) return false;
  }
  return true;
}

/** Takes no key that FIPS 203 says is none. */
export const CHECKED_MLKEM768_X25519 = (): KEM => {
  const kem = KEM_MLKEM768_X25519();
  return {
    ...kem,
    async DeserializePublicKey(raw) {
      if (!hasProperCoefficients(raw.subarray(0, encapsulationKeyBytes))) throw new TypeError("not a key");
      return kem.DeserializePublicKey(raw);
    },
  };
};

/** MLKEM768-X25519 in JavaScript, for runtimes whose WebCrypto has no ML-KEM. It is not small: whoever does not need it does not load it. */
export const postQuantumSuite = new CipherSuite(CHECKED_MLKEM768_X25519, KDF_HKDF_SHA256, AEAD_AES_256_GCM);
