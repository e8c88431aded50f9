import { base64url, concat, lp, utf8 } from "@portcullis/protocol";
import { type Identity, sign, verify } from "./identity.ts";

const label = "receipt";

/** What a server signs for whomever it lets in. */
export interface ReceiptStatement {
  /** The finish value F of that very conversation, base64url. */
  readonly finish: string;
  readonly sid: string;
  /** Whom it took them for; null for nobody by name. */
  readonly member: string | null;
  /** Epoch milliseconds of the server's clock. */
  readonly atMs: number;
  /** SHA-256 of the policy, base64url. */
  readonly policyHash: string;
}

function bytesOf({ finish, sid, member, atMs, policyHash }: ReceiptStatement): Uint8Array {
  return concat(
    base64url.decode(finish),
    lp(utf8(sid)),
    lp(utf8(member ?? "")),
    lp(utf8(String(atMs))),
    lp(base64url.decode(policyHash)),
  );
}

/** Sig("receipt", F ‖ lp(sid) ‖ lp(member or "") ‖ lp(at, in decimal) ‖ lp(policyHash)). F has 32 bytes always. */
export function signReceipt(identity: Identity, statement: ReceiptStatement): Promise<Uint8Array> {
  return sign(identity, label, bytesOf(statement));
}

/** False for a bad signature, a bad key, and anything else. */
export async function verifyReceipt(idKey: Uint8Array, statement: ReceiptStatement, sig: Uint8Array): Promise<boolean> {
  try {
    // What is in front has no length of its own: a shorter one could be continued by what follows.
    if (base64url.decode(statement.finish).length !== 32) return false;
    return await verify(idKey, label, bytesOf(statement), sig);
  } catch {
    return false;
  }
}
