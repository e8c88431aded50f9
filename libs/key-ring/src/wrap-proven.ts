import { timingSafeEqual } from "node:crypto";
import { type Kms, type KmsContext, KmsError, type WrappedKey } from "@portcullis/kms";

/**
 * Has a key wrapped, and opened again before anybody stores that. A key service may let us wrap and not open, be two behind one address, or lie: noticed only when a lease is over, it would have cost the
 * ring, and with it all that is stored.
 *
 * @throws {KmsError}
 */
export async function wrapProven(kms: Kms, key: Uint8Array, place: KmsContext): Promise<WrappedKey> {
  const made = await kms.wrap(key, place);
  const opened = await kms.unwrap(made.wrapped, place);
  try {
    if (opened.length === key.length && timingSafeEqual(opened, key)) return made;
  } finally {
    opened.fill(0);
  }
  throw new KmsError(
    "unopened",
    `${kms.describe()} does not give back the key that it was given to wrap: nothing was changed`,
  );
}
