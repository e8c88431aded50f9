import { signReceipt } from "@portcullis/crypto";
import { base64url, equalBytes } from "@portcullis/protocol";
import type { Clock } from "@portcullis/runtime";
import type { IdentitySource } from "../identity.ts";

interface Admission {
  /** F, base64url. */
  readonly finish: string;
  readonly sid: string;
  readonly member: string | null;
  readonly policyHash: Uint8Array;
}

/**
 * What goes into `accepted`. F is of this conversation alone, so the same receipt cannot be had for another.
 *
 * @param idKey by which the client knows us: where that is not our key any more, its seed is gone, and a receipt under the next one would be a stranger's to them
 */
export async function receiptFor(
  { identities, clock }: { readonly identities: IdentitySource; readonly clock: Clock },
  idKey: Uint8Array,
  { policyHash, ...admission }: Admission,
): Promise<{ receipt?: { at: number; sig: string } }> {
  const { identity } = await identities.current();
  if (!equalBytes(identity.publicKey, idKey)) return {};
  const atMs = clock();
  const sig = await signReceipt(identity, { ...admission, atMs, policyHash: base64url.encode(policyHash) });
  return { receipt: { at: atMs, sig: base64url.encode(sig) } };
}
