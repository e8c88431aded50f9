import { createHmac, timingSafeEqual } from "node:crypto";
import type { Vault } from "@portcullis/runtime";
import type { Place } from "./block.ts";

/**
 * What a MAC says of a block: that `identity` wrote it, that all before it were removed in their time, that a book reached as far. And of a book (`days`, in the place
 * of a block's number): that its owner has it kept so long.
 */
export type Of = "block" | "anchor" | "head" | "days";

/** MACs under the master key: hashes can be computed anew by whoever writes to the store, these cannot. */
export interface Marks {
  of(what: Of, socketId: string, place: Place): string;
  /** Under whichever master key it was made. */
  isOurs(what: Of, socketId: string, place: Place, mac: string): boolean;
}

export function createMarks(vault: Pick<Vault, "subkey" | "subkeys">): Marks {
  const label = "audit";
  // None of the parts holds a space.
  const mac = (key: Uint8Array, what: Of, socketId: string, { n, hash }: Place) =>
    createHmac("sha256", key).update(`${what} ${socketId} ${n} ${hash}`).digest();
  const key = vault.subkey(label);
  const keys = vault.subkeys(label);
  return {
    of: (what, socketId, place) => mac(key, what, socketId, place).toString("hex"),
    isOurs(what, socketId, place, given) {
      const bytes = Buffer.from(given, "hex");
      return keys.some((each) => {
        const expected = mac(each, what, socketId, place);
        return bytes.length === expected.length && timingSafeEqual(bytes, expected);
      });
    },
  };
}
