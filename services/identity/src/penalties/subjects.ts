import { z } from "zod";
import { type Entry, present } from "../audit/audit.ts";

/**
 * What failures are counted for, and what is held: whoever comes with a key from a network as a member, or one gate of that member wherever. Those who share
 * key and address with somebody who fails are others by the name that they come under. Where the member came in
 * from before, their gate has another count for that network, which nobody moves from anywhere else.
 */
export const subject = z.discriminatedUnion("of", [
  z.strictObject({
    of: z.literal("holder"),
    socketId: z.string(),
    /** Null: without a key. */
    keyId: z.string().nullable(),
    network: z.string(),
    /** Null: as nobody who is there. */
    memberId: z.string().nullable(),
  }),
  z.strictObject({
    of: z.literal("gate"),
    socketId: z.string(),
    memberId: z.string(),
    gate: z.string(),
    /** Null: from everywhere where they never came in from. */
    network: z.string().nullable(),
  }),
]);
export type Subject = z.infer<typeof subject>;

/** Whose failures are counted together. Null where there is none: what is looked up is the same. */
export interface Who {
  /** HMAC of the network. */
  readonly network: string;
  readonly socketId: string | null;
  /** The key of this socket under which the box opened. */
  readonly keyId: string | null;
  readonly memberId: string | null;
}

const none = "none";

export function holderOf({ socketId, keyId, network, memberId }: Who): Subject {
  return { of: "holder", socketId: socketId ?? none, keyId, network, memberId };
}

/** @param known came in from here before */
export function gateOf({ socketId, memberId, network }: Who, gate: string, known: boolean): Subject {
  return { of: "gate", socketId: socketId ?? none, memberId: memberId ?? none, gate, network: known ? network : null };
}

/** What is counted for whoever answers at these gates; for nobody in particular, the holder alone. */
export function subjectsOf(who: Who, gates: readonly string[], known: boolean): Subject[] {
  const ofGates = who.memberId === null ? [] : [...new Set(gates)].map((gate) => gateOf(who, gate, known));
  return known ? ofGates : [holderOf(who), ...ofGates];
}

/** Its name in the state port. */
export function nameOf(of: Subject): string {
  return of.of === "holder"
    ? `holder:${of.socketId}:${of.network}:${of.keyId ?? none}:${of.memberId ?? none}`
    : `gate:${of.socketId}:${of.memberId}:${of.gate}:${of.network ?? none}`;
}

/** For the book and for alerts. */
export function idsOf(of: Subject): Pick<Entry, "member" | "key" | "gate" | "network"> {
  const [gate, key] = of.of === "gate" ? [of.gate, null] : [null, of.keyId];
  return present({ member: of.memberId, key, gate, network: of.network });
}
