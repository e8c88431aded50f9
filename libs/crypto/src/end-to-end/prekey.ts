import { type SuiteId, suiteIds, utf8 } from "@portcullis/protocol";
import { expand } from "../derive.ts";
import { deriveKemKeyPair, hasSuite, type KemKeyPair } from "../suites.ts";

/** The pair of a prekey for this suite: from its seed (32 bytes), so that to erase one is to erase all of it. */
export async function prekeyPair(seed: Uint8Array, suite: SuiteId): Promise<KemKeyPair> {
  const ikm = await expand(seed, "e2e prekey", utf8(suite));
  try {
    return await deriveKemKeyPair(suite, ikm);
  } finally {
    ikm.fill(0);
  }
}

/** Public keys for every suite that this runtime has. @param only narrows the choice, for a recipient with a floor */
export async function prekeySuites(
  seed: Uint8Array,
  only: readonly SuiteId[] = suiteIds,
): Promise<Partial<Record<SuiteId, Uint8Array>>> {
  const keys: Partial<Record<SuiteId, Uint8Array>> = {};
  for (const suite of only) if (await hasSuite(suite)) keys[suite] = (await prekeyPair(seed, suite)).publicKey;
  return keys;
}
