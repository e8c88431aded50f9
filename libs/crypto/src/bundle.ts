import { type Bundle, encodeBundle, equalBytes, type Hello, limits, parseBundle, utf8 } from "@portcullis/protocol";
import { CryptoError } from "./errors.ts";
import { fingerprint, type Identity, sign, verify } from "./identity.ts";
import { verifySuccession } from "./succession.ts";

const label = "bundle";

/** @returns the bytes to send as they are, and their signature. */
export async function signBundle(
  identity: Identity,
  content: Pick<Bundle, "kid" | "suites" | "exp" | "successions">,
): Promise<{ readonly bundle: Uint8Array; readonly sig: Uint8Array }> {
  const bundle = encodeBundle({ ...content, idKey: identity.publicKey });
  return { bundle, sig: await sign(identity, label, bundle) };
}

export interface VerifiedBundle {
  readonly bundle: Bundle;
  /** Of the key that signed. */
  readonly fingerprint: string;
  /** False: nothing says that this is the right server. No person should be asked for a code then. */
  readonly pinned: boolean;
  /** The pinned fingerprint, where the key that signed follows the pinned one; null where it is that one, or nothing is pinned. */
  readonly successorOf: string | null;
}

/**
 * The order is: pin (or a succession from it), signature, expiry. A pinned client learns "not my server" before anything that the other key says counts.
 *
 * @param options.pinnedFingerprint null only for whoever has nothing to pin by; the bundle is then merely consistent.
 * @throws {CryptoError} `pin`, `signature`, `expired`
 * @throws {ProtocolError} on a bundle without the right shape, or nothing in common
 */
export async function verifyBundle(options: {
  readonly hello: Hello;
  readonly pinnedFingerprint: string | null;
  readonly nowMs: number;
}): Promise<VerifiedBundle> {
  const { hello, pinnedFingerprint, nowMs } = options;
  const bundle = parseBundle(hello.bundle);
  const actual = await fingerprint(bundle.idKey);
  const isPinned = pinnedFingerprint !== null && equalBytes(utf8(actual), utf8(pinnedFingerprint));
  const successorOf = isPinned ? null : pinnedFingerprint;
  if (successorOf !== null) {
    const { idKey, successions = [] } = bundle;
    await verifySuccession({ successions, idKey, pinned: successorOf, nowMs });
  }
  if (!(await verify(bundle.idKey, label, hello.bundle, hello.sig))) throw new CryptoError("signature");
  if (!(nowMs <= bundle.exp * 1000 + limits.bundleSkewMs)) throw new CryptoError("expired");
  return { bundle, fingerprint: actual, pinned: pinnedFingerprint !== null, successorOf };
}
