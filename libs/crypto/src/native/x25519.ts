import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from "node:crypto";
import { concat, encode, I2OSP, type KEM, LabeledExpand, LabeledExtract } from "hpke";
import { HKDF_SHA256 } from "./hkdf.ts";
import { NativeKey, privateFrom, publicFrom, rawPublic } from "./key.ts";

const name = "X25519";
const suiteId = concat(encode("KEM"), I2OSP(0x0020, 2));
const none = new Uint8Array();

/** DHKEM(X25519, HKDF-SHA256), RFC 9180 section 4.1. OpenSSL refuses a peer with which the result is all zeros (section 7.1.4). */
export const DHKEM_X25519 = (): KEM<NativeKey> => ({
  id: 0x0020,
  type: "KEM",
  name: "DHKEM(X25519, HKDF-SHA256)",
  Nsecret: 32,
  Nenc: 32,
  Npk: 32,
  Nsk: 32,
  /** RFC 9180 section 7.1.3. */
  async DeriveKeyPair(ikm, extractable) {
    const prk = await LabeledExtract(HKDF_SHA256(), suiteId, none, encode("dkp_prk"), ikm);
    const secret = await LabeledExpand(HKDF_SHA256(), suiteId, prk, encode("sk"), none, 32);
    return pairOf(privateFrom("x25519", secret), extractable);
  },
  GenerateKeyPair: async (extractable) => pairOf(generateKeyPairSync("x25519").privateKey, extractable),
  SerializePublicKey: async ({ handles }) => concat(...handles.map(rawPublic)),
  DeserializePublicKey: async (raw) => new NativeKey(name, "public", true, [publicFrom("x25519", raw)]),
  SerializePrivateKey: async ({ handles }) =>
    concat(...handles.map((key) => new Uint8Array(key.export({ format: "raw-private" })))),
  DeserializePrivateKey: async (raw, extractable) =>
    new NativeKey(name, "private", extractable, [privateFrom("x25519", raw)]),
  async Encap(recipient) {
    const { privateKey } = generateKeyPairSync("x25519");
    const enc = rawPublic(privateKey);
    return { enc, shared_secret: await shared(privateKey, only(recipient), enc, rawPublic(only(recipient))) };
  },
  Decap: async (enc, own) => shared(only(own), publicFrom("x25519", enc), enc, rawPublic(only(own))),
});

function pairOf(privateKey: KeyObject, extractable: boolean) {
  return {
    privateKey: new NativeKey(name, "private", extractable, [privateKey]),
    publicKey: new NativeKey(name, "public", true, [createPublicKey(privateKey)]),
  };
}

function only({ handles: [key] }: NativeKey): KeyObject {
  if (key === undefined) throw new TypeError("not a key of X25519");
  return key;
}

/** ExtractAndExpand of RFC 9180 section 4.1. */
async function shared(privateKey: KeyObject, publicKey: KeyObject, enc: Uint8Array, recipient: Uint8Array) {
  const dh = new Uint8Array(diffieHellman({ privateKey, publicKey }));
  const prk = await LabeledExtract(HKDF_SHA256(), suiteId, none, encode("eae_prk"), dh);
  return LabeledExpand(HKDF_SHA256(), suiteId, prk, encode("shared_secret"), concat(enc, recipient), 32);
}
