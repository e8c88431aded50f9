import { createHmac, timingSafeEqual } from "node:crypto";
import type { Vault } from "@portcullis/runtime";
import type { Place } from "./block.ts";

/**
 * What a MAC says of a block: that `identity` wrote it, that all before it were removed in their time, that a book reached as far. And of a book (`days`, in the place
 * of a block's number): that its owner has it kept so long.
 */
export type Of = "block" | "anchor" | "head" | "days";

/** MACs under the index secret: hashes can be computed anew by whoever writes to the store, these cannot. */
export interface Marks {
  of(what: Of, socketId: string, place: Place): string;
  isOurs(what: Of, socketId: string, place: Place, mac: string): boolean;
}

export function createMarks(vault: Pick<Vault, "subkey">): Marks {
  const key = vault.subkey("audit");
  // None of the parts holds a space.
  const mac = (what: Of, socketId: string, { n, hash }: Place) =>
    createHmac("sha256", key).update(`${what} ${socketId} ${n} ${hash}`).digest();
  return {
    of: (what, socketId, place) => mac(what, socketId, place).toString("hex"),
    isOurs(what, socketId, place, given) {
      const bytes = Buffer.from(given, "hex");
      const expected = mac(what, socketId, place);
      return bytes.length === expected.length && timingSafeEqual(bytes, expected);
    },
  };
}
