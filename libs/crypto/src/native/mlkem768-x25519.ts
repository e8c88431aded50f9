import {
  createHash,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from "node:crypto";
import { concat, encode, I2OSP, type KEM, LabeledDerive } from "hpke";
import { secureRandom } from "../derive.ts";
import { NativeKey, privateFrom, publicFrom, rawPublic } from "./key.ts";

const name = "MLKEM768-X25519";
const suiteId = concat(encode("KEM"), I2OSP(0x647a, 2));
const mlkemPublicBytes = 1184;
const mlkemCiphertextBytes = 1088;
/** `\.//^\`, X-Wing's (draft-connolly-cfrg-xwing-kem section 5.3). */
const combinerLabel = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c);

/**
 * X-Wing: ML-KEM-768 (FIPS 203) and X25519, of which one is enough to be secure. In HPKE: draft-ietf-hpke-pq. OpenSSL checks an
 * encapsulation key as FIPS 203 section 7.2 says, and a peer with which X25519 gives zeros.
 */
export const MLKEM768_X25519 = (): KEM<SeededKey> => ({
  id: 0x647a,
  type: "KEM",
  name,
  Nsecret: 32,
  Nenc: mlkemCiphertextBytes + 32,
  Npk: mlkemPublicBytes + 32,
  Nsk: 32,
  async DeriveKeyPair(ikm, extractable) {
    const shake = { Derive: async (input: Uint8Array, length: number) => shake256(input, length) };
    const seed = await LabeledDerive(shake, suiteId, ikm, encode("DeriveKeyPair"), new Uint8Array(), 32);
    return pairOf(seed, extractable);
  },
  GenerateKeyPair: async (extractable) => pairOf(secureRandom(32), extractable),
  SerializePublicKey: async ({ handles }) => concat(...handles.map(rawPublic)),
  DeserializePublicKey: async (raw) =>
    new SeededKey("public", true, [
      publicFrom("ml-kem-768", raw.subarray(0, mlkemPublicBytes)),
      publicFrom("x25519", raw.subarray(mlkemPublicBytes)),
    ]),
  async SerializePrivateKey({ seed }) {
    if (seed === null) throw new TypeError("not a private key that may leave");
    return seed.slice();
  },
  DeserializePrivateKey: async (seed, extractable) => pairOf(seed, extractable).privateKey,
  async Encap(recipient) {
    const [mlkem, x25519] = both(recipient);
    const { privateKey } = generateKeyPairSync("x25519");
    const { sharedKey, ciphertext } = encapsulate(mlkem);
    const encapsulated = rawPublic(privateKey);
    const dh = diffieHellman({ privateKey, publicKey: x25519 });
    const enc = concat(new Uint8Array(ciphertext), encapsulated);
    return { enc, shared_secret: combine(sharedKey, dh, encapsulated, rawPublic(x25519)) };
  },
  async Decap(enc, own) {
    const [mlkem, x25519] = both(own);
    const encapsulated = enc.subarray(mlkemCiphertextBytes);
    const sharedKey = decapsulate(mlkem, enc.subarray(0, mlkemCiphertextBytes));
    const dh = diffieHellman({ privateKey: x25519, publicKey: publicFrom("x25519", encapsulated) });
    return combine(sharedKey, dh, encapsulated, rawPublic(x25519));
  },
});

/** Both halves come of one seed; it is kept only where it may leave. */
class SeededKey extends NativeKey {
  readonly seed: Uint8Array | null;
  constructor(
    type: "private" | "public",
    extractable: boolean,
    handles: readonly KeyObject[],
    seed: Uint8Array | null = null,
  ) {
    super(name, type, extractable, handles);
    this.seed = seed;
  }
}

function pairOf(seed: Uint8Array, extractable: boolean) {
  const expanded = shake256(seed, 96);
  const handles = [privateFrom("ml-kem-768", expanded.subarray(0, 64)), privateFrom("x25519", expanded.subarray(64))];
  expanded.fill(0);
  return {
    privateKey: new SeededKey("private", extractable, handles, extractable ? seed.slice() : null),
    publicKey: new SeededKey(
      "public",
      true,
      handles.map((handle) => createPublicKey(handle)),
    ),
  };
}

function both({ handles: [mlkem, x25519] }: NativeKey): readonly [KeyObject, KeyObject] {
  if (mlkem === undefined || x25519 === undefined) throw new TypeError("not a key of this suite");
  return [mlkem, x25519];
}

function combine(mlkem: Uint8Array, dh: Uint8Array, encapsulated: Uint8Array, recipient: Uint8Array): Uint8Array {
  const hash = createHash("sha3-256").update(mlkem).update(dh).update(encapsulated).update(recipient);
  return new Uint8Array(hash.update(combinerLabel).digest());
}

function shake256(input: Uint8Array, length: number): Uint8Array {
  return new Uint8Array(createHash("shake256", { outputLength: length }).update(input).digest());
}
