import { fingerprint, type ReceiptStatement, verifyReceipt as verifySignature } from "@portcullis/crypto";
import { type Accepted, base64url, ProtocolError } from "@portcullis/protocol";

/** What a server has signed for whomever it let in: plain JSON, good for as long as somebody knows whose key it is. */
export interface Receipt extends ReceiptStatement {
  readonly type: "portcullis-receipt";
  readonly v: 1;
  /** Raw Ed25519 key of the server, base64url. It says nothing by itself: compare its fingerprint with one that you have from elsewhere. */
  readonly key: string;
  readonly fingerprint: string;
  readonly sig: string;
}

/**
 * @param accepted its F compared
 * @param idKey by which the server was verified on this connection
 * @returns null: the server gave none, which it does not while its key changes
 * @throws {ProtocolError} `malformed`: what it gave is none
 */
export async function receiptOf(accepted: Accepted, idKey: Uint8Array): Promise<Receipt | null> {
  const { receipt, F, sid, member = null, policyHash } = accepted;
  if (receipt === undefined) return null;
  const statement = { finish: F, sid, member, atMs: receipt.at, policyHash };
  if (!(await verifySignature(idKey, statement, base64url.decode(receipt.sig))))
    throw new ProtocolError("malformed", "accepted.receipt");
  const key = base64url.encode(idKey);
  return Object.freeze({
    type: "portcullis-receipt",
    v: 1,
    ...statement,
    key,
    fingerprint: await fingerprint(idKey),
    sig: receipt.sig,
  });
}

const texts = ["finish", "sid", "policyHash", "key", "fingerprint", "sig"] as const;

/** @returns null: it is no receipt */
function readReceipt(document: unknown): Receipt | null {
  if (typeof document !== "object") return null;
  const read: Readonly<Record<string, unknown>> = { ...document };
  const { type, v, member, atMs, ...rest } = read;
  const isText = (value: unknown) => typeof value === "string" && value.length <= 512;
  const isReceipt =
    type === "portcullis-receipt" &&
    v === 1 &&
    typeof atMs === "number" &&
    (member === null || isText(member)) &&
    texts.every((name) => isText(rest[name])) &&
    Object.keys(rest).length === texts.length;
  return isReceipt ? (read as unknown as Receipt) : null;
}

export type ReceiptProblem = "not-a-receipt" | "another-server" | "signature";

/**
 * @param document as it was kept, read again
 * @param pin fingerprint of the server that is to have signed it
 */
export async function verifyReceipt(
  document: unknown,
  pin: string,
): Promise<
  { readonly receipt: Receipt; readonly problem: null } | { readonly receipt: null; readonly problem: ReceiptProblem }
> {
  const no = (problem: ReceiptProblem) => ({ receipt: null, problem });
  const receipt = readReceipt(document);
  if (receipt === null) return no("not-a-receipt");
  try {
    const idKey = base64url.decode(receipt.key);
    const print = await fingerprint(idKey);
    if (print !== receipt.fingerprint) return no("not-a-receipt");
    if (print !== pin) return no("another-server");
    if (!(await verifySignature(idKey, receipt, base64url.decode(receipt.sig)))) return no("signature");
    return { receipt, problem: null };
  } catch {
    return no("not-a-receipt");
  }
}
