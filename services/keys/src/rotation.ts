import { generateIdentity, type Identity, signSuccession } from "@portcullis/crypto";
import type { Documents } from "@portcullis/documents";
import { type Succession, successionsMax } from "@portcullis/protocol";
import { type Clock, StartupError, type Vault } from "@portcullis/runtime";
import { currentId, openIdentities, openSeed, sealSeed, stillCounting, successionsOf } from "./identity.ts";

export interface Rotation {
  readonly before: string;
  readonly now: string;
  /** Epoch seconds until which who pins the key before is led to the new one; null: not at all. */
  readonly until: number | null;
}

/**
 * Another identity key, for all replicas within two seconds. The old key says which one follows it, and is erased: nobody can sign with it any more, neither this server
 * nor who finds a copy of its stores later.
 *
 * @param options.overlapMs how long that word counts; null: the old key may be in other hands, which could say the same. Then it leads nowhere, and every app key needs the new fingerprint
 * @throws {StartupError} somebody else rotated at the same moment, or as many rotations count as may
 */
export async function rotateIdentity(
  { documents, vault, clock }: { readonly documents: Documents; readonly vault: Vault; readonly clock: Clock },
  { overlapMs }: { readonly overlapMs: number | null },
): Promise<Rotation> {
  const collection = await openIdentities(documents);
  const found = await collection.get(currentId);
  if (found === null) throw new StartupError("there is no server identity yet: it is made when keys starts first");
  const old = await openSeed(vault, found.body.seedSealed);
  const { identity, seed } = await generateIdentity();
  try {
    const successions =
      overlapMs === null ? [] : await followed(old, identity, successionsOf(found), clock(), overlapMs);
    const next = { seedSealed: sealSeed(vault, seed), createdAtMs: clock(), successions: successions.map(written) };
    if ((await collection.replace(currentId, found.version, next)) === null)
      throw new StartupError("somebody else changed the server identity at this moment: look whether that is enough");
    return { before: old.fingerprint, now: identity.fingerprint, until: successions.at(-1)?.until ?? null };
  } finally {
    seed.fill(0);
  }
}

async function followed(
  old: Identity,
  next: Identity,
  before: readonly Succession[],
  nowMs: number,
  overlapMs: number,
): Promise<readonly Succession[]> {
  const counting = stillCounting(before, nowMs);
  if (counting.length >= successionsMax) {
    const until = new Date((counting[0]?.until ?? 0) * 1000).toISOString();
    throw new StartupError(
      `${successionsMax} keys before this one still lead here, the first until ${until}: wait for it`,
    );
  }
  const from = Math.floor(nowMs / 1000);
  return [...counting, await signSuccession(old, next.publicKey, { from, until: from + Math.floor(overlapMs / 1000) })];
}

function written({ key, sig, ...term }: Succession) {
  return { ...term, key: Buffer.from(key).toString("base64url"), sig: Buffer.from(sig).toString("base64url") };
}
