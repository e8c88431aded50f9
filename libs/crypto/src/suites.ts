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

/** HPKE with this KEM, HKDF-SHA256 and AES-256-GCM, on the runtime's WebCrypto. */
const webSuite = (id: SuiteId): CipherSuite<Key> => new CipherSuite(kems[id], KDF_HKDF_SHA256, AEAD_AES_256_GCM);

/** Opaque: lives in one process and cannot be exported. */
export interface KemPrivateKey {
  readonly suite: SuiteId;
  readonly pair: KeyPair<Key>;
  /** Whose key it is: that of another implementation is nothing to this one. */
  readonly hpke: CipherSuite<Key>;
}

export interface KemKeyPair {
  readonly suite: SuiteId;
  readonly privateKey: KemPrivateKey;
  /** For the bundle. */
  readonly publicKey: Uint8Array;
}

/**
 * @param hpke another implementation of the suite, such as that of `@portcullis/crypto/native`. Default: WebCrypto's.
 * @throws {CryptoError} `suite` where the runtime lacks it.
 */
export async function generateKemKeyPair(id: SuiteId, hpke?: CipherSuite<Key>): Promise<KemKeyPair> {
  try {
    const suite = hpke ?? (await hpkeSuite(id));
    return await keyPairOf(id, suite, await suite.GenerateKeyPair(false));
  } catch {
    throw new CryptoError("suite");
  }
}

export async function keyPairOf(id: SuiteId, hpke: CipherSuite<Key>, pair: KeyPair<Key>): Promise<KemKeyPair> {
  return { suite: id, privateKey: { suite: id, pair, hpke }, publicKey: await hpke.SerializePublicKey(pair.publicKey) };
}

/**
 * From a stored private key (32 bytes with both suites); the server itself only ever generates.
 *
 * @param hpke as in `generateKemKeyPair`
 * @throws {CryptoError} `key`
 */
export async function importKemKeyPair(
  id: SuiteId,
  secret: Uint8Array,
  publicKey: Uint8Array,
  hpke?: CipherSuite<Key>,
): Promise<KemKeyPair> {
  try {
    const suite = hpke ?? (await hpkeSuite(id));
    const [privateKey, imported] = await Promise.all([
      suite.DeserializePrivateKey(secret, false),
      suite.DeserializePublicKey(publicKey),
    ]);
    return { suite: id, privateKey: { suite: id, pair: { privateKey, publicKey: imported }, hpke: suite }, publicKey };
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

/** What has to go through before an implementation is taken. */
type Trial = (suite: CipherSuite<Key>, id: SuiteId) => Promise<unknown>;

/** Null: this runtime has none that can. */
export type FindSuite = (id: SuiteId) => Promise<CipherSuite<Key> | null>;

/** Whether it can, found out by doing so once: no list of runtimes stays true. */
async function passes(suite: CipherSuite<Key>, id: SuiteId, trial: Trial): Promise<boolean> {
  try {
    await trial(suite, id);
    return true;
  } catch {
    return false;
  }
}

async function tried(id: SuiteId, trial: Trial): Promise<CipherSuite<Key> | null> {
  const web = webSuite(id);
  if (await passes(web, id, trial)) return web;
  if (id !== "647a") return null;
  const { postQuantumSuite } = await import("./post-quantum.ts");
  return (await passes(postQuantumSuite, id, trial)) ? postQuantumSuite : null;
}

/** WebCrypto's implementation where that can do it, else the one that is loaded. */
export function suiteFinder(trial: Trial): FindSuite {
  const findings = new Map<SuiteId, ReturnType<FindSuite>>();
  return (id) => {
    const known = findings.get(id);
    if (known !== undefined) return known;
    // What could not be loaded may be there the next time.
    const finding = tried(id, trial).catch(() => {
      findings.delete(id);
      return null;
    });
    findings.set(id, finding);
    return finding;
  };
}

const found = suiteFinder(async (suite, id) => suite.SetupSender(await suite.DeserializePublicKey(probeKeys[id])));

/** Whether this runtime can seal under the suite: by its WebCrypto, or with what is loaded where that has no ML-KEM. */
export async function hasSuite(id: SuiteId): Promise<boolean> {
  return (await found(id)) !== null;
}

/** @throws {CryptoError} `suite` where the runtime lacks it. */
export async function hpkeSuite(id: SuiteId): Promise<CipherSuite<Key>> {
  const suite = await found(id);
  if (suite === null) throw new CryptoError("suite");
  return suite;
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
