import type { Declared, Encoded } from "../declared.ts";
import type { Indexed, Stored } from "../port.ts";

/**
 * A document as MongoDB holds it. The body is JSON text: BSON engines differ on keys with dots and on nested arrays, and
 * with text both adapters store the same bytes. What is looked up is copied beside it, without nulls, so that unique
 * indexes can ignore what is absent.
 */
export interface Row {
  readonly _id: string;
  readonly version: number;
  readonly body: string;
  readonly index: Readonly<Record<string, Exclude<Indexed, null>>>;
  /** A date because TTL indexes want one. */
  readonly expiresAt?: Date;
}

export function toRow<T extends object>(id: string, version: number, encoded: Encoded<T>): Row {
  const { json, values, expiresAtMs } = encoded;
  const row = { _id: id, version, body: json, index: values };
  return expiresAtMs === null ? row : { ...row, expiresAt: new Date(expiresAtMs) };
}

export function fromRow<T extends object>(row: Row, declared: Declared<T>): Stored<T> {
  return { id: row._id, version: row.version, body: declared.decode(row.body) };
}
