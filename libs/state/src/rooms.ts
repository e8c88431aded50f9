import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { State } from "./port.ts";

/**
 * Ids of decoys' rooms. They look like the ids of sockets to whoever sees one, and are told from these by whoever has the key: so the parts of
 * one world can refuse to speak into the other, without having to ask anybody.
 */
export interface Rooms {
  make(): string;
  is(id: string): boolean;
}

const keyName = "decoy:room-key";
const keyBytes = 32;
/** Longer than anything that is named by it. */
const keyTtlMs = 10 * 365 * 86_400_000;
/** 16 bytes, as ids are. An id of a socket's is taken for a room with a chance of 2^-64. */
const halfBytes = 8;

/** The key is in the store that all replicas have: whoever can read it there sees what is a decoy by the names of its entries anyhow. */
export async function openRooms(state: Pick<State, "get" | "create">, random = randomBytes): Promise<Rooms> {
  await state.create(keyName, new Uint8Array(random(keyBytes)), keyTtlMs);
  const found = await state.get(keyName);
  if (found === null) throw new Error("the key of the rooms vanished while it was made");
  const tagOf = (name: Uint8Array) => createHmac("sha256", found.value).update(name).digest().subarray(0, halfBytes);
  return {
    make() {
      const name = random(halfBytes);
      return Buffer.concat([name, tagOf(name)]).toString("base64url");
    },
    is(id) {
      const bytes = Buffer.from(id, "base64url");
      if (bytes.length !== 2 * halfBytes || bytes.toString("base64url") !== id) return false;
      return timingSafeEqual(bytes.subarray(halfBytes), tagOf(bytes.subarray(0, halfBytes)));
    },
  };
}
