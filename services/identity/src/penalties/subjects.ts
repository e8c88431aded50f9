import { z } from "zod";

/**
 * What failures are counted for, and what is held: a key from a network on one socket, or one gate of a member. Where the member came in
 * from before, their gate has another count for that network, which nobody moves from anywhere else.
 */
export const subject = z.discriminatedUnion("of", [
  z.strictObject({ of: z.literal("holder"), socketId: z.string(), keyId: z.string().nullable(), network: z.string() }),
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

export function holderOf({ socketId, keyId, network }: Who): Subject {
  return { of: "holder", socketId: socketId ?? none, keyId, network };
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
    ? `holder:${of.socketId}:${of.network}:${of.keyId ?? none}`
    : `gate:${of.socketId}:${of.memberId}:${of.gate}:${of.network ?? none}`;
}
