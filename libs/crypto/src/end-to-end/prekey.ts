import { type SuiteId, suiteIds, utf8 } from "@portcullis/protocol";
import { expand } from "../derive.ts";
import { CryptoError } from "../errors.ts";
import { type KemKeyPair, keyPairOf, suiteFinder } from "../suites.ts";

/** Who can seal cannot always derive a key pair: browsers have ML-KEM and not SHAKE-256, by which that is done. */
const found = suiteFinder((hpke) => hpke.DeriveKeyPair(new Uint8Array(32), false));

/**
 * The pair of a prekey for this suite: from its seed (32 bytes), so that to erase one is to erase all of it.
 *
 * @throws {CryptoError} `suite` where the runtime cannot make it, also where what it lacks cannot be loaded now
 */
export async function prekeyPair(seed: Uint8Array, suite: SuiteId): Promise<KemKeyPair> {
  const hpke = await found(suite);
  if (hpke === null) throw new CryptoError("suite");
  const ikm = await expand(seed, "e2e prekey", utf8(suite));
  try {
    return await keyPairOf(suite, hpke, await hpke.DeriveKeyPair(ikm, false));
  } finally {
    ikm.fill(0);
  }
}

/** Public keys for every suite that this runtime can make a pair for. @param only narrows the choice, for a recipient with a floor */
export async function prekeySuites(
  seed: Uint8Array,
  only: readonly SuiteId[] = suiteIds,
): Promise<Partial<Record<SuiteId, Uint8Array>>> {
  const keys: Partial<Record<SuiteId, Uint8Array>> = {};
  for (const suite of only) if ((await found(suite)) !== null) keys[suite] = (await prekeyPair(seed, suite)).publicKey;
  return keys;
}
