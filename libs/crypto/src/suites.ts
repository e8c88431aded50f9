import { concat, type SuiteId, suiteIds, suites } from "@portcullis/protocol";
import {
  AEAD_AES_256_GCM,
  CipherSuite,
  KDF_HKDF_SHA256,
  KEM_DHKEM_X25519_HKDF_SHA256,
  KEM_MLKEM768_X25519,
  type Key,
  type KeyPair,
} from "hpke";
import { CryptoError } from "./errors.ts";

const kems = { "647a": KEM_MLKEM768_X25519, "0020": KEM_DHKEM_X25519_HKDF_SHA256 } as const;

const made = new Map<SuiteId, CipherSuite>();

/** HPKE with this KEM, HKDF-SHA256 and AES-256-GCM. */
export function hpkeSuite(id: SuiteId): CipherSuite {
  let suite = made.get(id);
  if (suite === undefined) {
    suite = new CipherSuite(kems[id], KDF_HKDF_SHA256, AEAD_AES_256_GCM);
    made.set(id, suite);
  }
  return suite;
}

/** Opaque: lives in one process and cannot be exported. */
export type KemPrivateKey = KeyPair<Key>;

export interface KemKeyPair {
  readonly suite: SuiteId;
  readonly privateKey: KemPrivateKey;
  /** For the bundle. */
  readonly publicKey: Uint8Array;
}

/** @throws {CryptoError} `suite` where the runtime lacks it. */
export async function generateKemKeyPair(id: SuiteId): Promise<KemKeyPair> {
  try {
    const suite = hpkeSuite(id);
    const pair = await suite.GenerateKeyPair(false);
    return { suite: id, privateKey: pair, publicKey: await suite.SerializePublicKey(pair.publicKey) };
  } catch {
    throw new CryptoError("suite");
  }
}

/** From 32 unpredictable bytes that are used for nothing else. @throws {CryptoError} `suite` where the runtime lacks it. */
export async function deriveKemKeyPair(id: SuiteId, ikm: Uint8Array): Promise<KemKeyPair> {
  try {
    const suite = hpkeSuite(id);
    const pair = await suite.DeriveKeyPair(ikm, false);
    return { suite: id, privateKey: pair, publicKey: await suite.SerializePublicKey(pair.publicKey) };
  } catch {
    throw new CryptoError("suite");
  }
}

/** From a stored private key (32 bytes with both suites); the server itself only ever generates. @throws {CryptoError} `key` */
export async function importKemKeyPair(id: SuiteId, secret: Uint8Array, publicKey: Uint8Array): Promise<KemKeyPair> {
  try {
    const suite = hpkeSuite(id);
    const [privateKey, imported] = await Promise.all([
      suite.DeserializePrivateKey(secret, false),
      suite.DeserializePublicKey(publicKey),
    ]);
    return { suite: id, privateKey: { privateKey, publicKey: imported }, publicKey };
  } catch {
    throw new CryptoError("key");
  }
}

/** Valid public keys that nobody holds the secret of: X25519's base point, and with it the all-zero ML-KEM key. */
const basePoint = Uint8Array.of(9, ...new Uint8Array(31));
const probeKeys: Readonly<Record<SuiteId, Uint8Array>> = {
  "0020": basePoint,
  "647a": concat(new Uint8Array(suites["647a"].publicKeyBytes - basePoint.length), basePoint),
};

const probes = new Map<SuiteId, Promise<boolean>>();

/** Whether this runtime can seal under the suite, found out by doing so once: no list of runtimes stays true. */
export function hasSuite(id: SuiteId): Promise<boolean> {
  let probe = probes.get(id);
  if (probe === undefined) {
    const suite = hpkeSuite(id);
    probe = suite
      .DeserializePublicKey(probeKeys[id])
      .then((publicKey) => suite.SetupSender(publicKey))
      .then(
        () => true,
        () => false,
      );
    probes.set(id, probe);
  }
  return probe;
}

/**
 * The first suite, in order of preference, that both the bundle and this runtime have.
 *
 * @param only narrows the choice, for a client with a floor.
 * @throws {CryptoError} `suite` where there is none.
 */
export async function chooseSuite(
  offered: Readonly<Partial<Record<SuiteId, Uint8Array>>>,
  only: readonly SuiteId[] = suiteIds,
): Promise<{ readonly suite: SuiteId; readonly publicKey: Uint8Array }> {
  for (const suite of suiteIds) {
    const publicKey = offered[suite];
    if (publicKey !== undefined && only.includes(suite) && (await hasSuite(suite))) return { suite, publicKey };
  }
  throw new CryptoError("suite");
}
