import { concat, lp, u64be, utf8 } from "@portcullis/protocol";
import { type Identity, sign, verify } from "./identity.ts";

const label = "audit";

/** What a server says of a socket's book when it is exported: from which block to which, and with which hash it ended when. */
export interface AuditStatement {
  /** Id of the socket. */
  readonly socket: string;
  readonly first: number;
  readonly last: number;
  /** Of the last block: SHA-256 in hexadecimal. */
  readonly hash: string;
  /** Epoch milliseconds. */
  readonly atMs: number;
}

function bytesOf({ socket, first, last, hash, atMs }: AuditStatement): Uint8Array {
  return concat(lp(utf8(socket)), u64be(first), u64be(last), lp(utf8(hash)), u64be(atMs));
}

/** Sig("audit", lp(socket) ‖ u64be(first) ‖ u64be(last) ‖ lp(hash) ‖ u64be(at)) */
export function signAuditStatement(identity: Identity, statement: AuditStatement): Promise<Uint8Array> {
  return sign(identity, label, bytesOf(statement));
}

/** False for a bad signature, a bad key, and numbers that are none. */
export async function verifyAuditStatement(
  idKey: Uint8Array,
  statement: AuditStatement,
  sig: Uint8Array,
): Promise<boolean> {
  try {
    return await verify(idKey, label, bytesOf(statement), sig);
  } catch {
    return false;
  }
}
