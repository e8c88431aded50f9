import { concat, equalBytes, limits, type Succession, successionsMax, u64be, utf8 } from "@portcullis/protocol";
import { CryptoError } from "./errors.ts";
import { fingerprint, type Identity, sign, verify } from "./identity.ts";

const label = "succession";

function statement(key: Uint8Array, next: Uint8Array, { from, until }: Pick<Succession, "from" | "until">): Uint8Array {
  return concat(key, next, u64be(from), u64be(until));
}

/** The old key's last word: which one follows it, and between which epoch seconds that counts. */
export async function signSuccession(
  identity: Identity,
  next: Uint8Array,
  term: Pick<Succession, "from" | "until">,
): Promise<Succession> {
  const key = identity.publicKey;
  return { key, ...term, sig: await sign(identity, label, statement(key, next, term)) };
}

/**
 * Whether `idKey` follows the pinned key: from that key on, each statement is signed by its key, names the next one, and counts now. It only leads forward: nobody gets from
 * a new pin back to an old key.
 *
 * @param parts.pinned fingerprint of another key than `idKey`
 * @throws {CryptoError} `pin`
 */
export async function verifySuccession(parts: {
  readonly successions: readonly Succession[];
  readonly idKey: Uint8Array;
  readonly pinned: string;
  readonly nowMs: number;
}): Promise<void> {
  const { successions, idKey, pinned, nowMs } = parts;
  if (successions.length > successionsMax) throw new CryptoError("pin");
  const prints = await Promise.all(successions.map(({ key }) => fingerprint(key)));
  const first = prints.findIndex((print) => equalBytes(utf8(print), utf8(pinned)));
  // A key that comes twice: no honest chain has a way back.
  const own = await fingerprint(idKey);
  if (first < 0 || new Set([...prints, own]).size !== prints.length + 1) throw new CryptoError("pin");
  for (const [index, succession] of successions.entries()) {
    if (index < first) continue;
    const { key, from, until, sig } = succession;
    const isNow = nowMs >= from * 1000 - limits.bundleSkewMs && nowMs < until * 1000;
    const said = statement(key, successions[index + 1]?.key ?? idKey, succession);
    if (!isNow || !(await verify(key, label, said, sig))) throw new CryptoError("pin");
  }
}
