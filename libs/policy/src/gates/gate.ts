import type { z } from "zod";

/** What is known of a handshake before the first question. */
export interface OpeningFacts {
  /** The app key under which the box opened; null in Base mode. */
  readonly keyId: string | null;
  /** A ticket came with it that is for exactly this socket and this member, or for nobody where none was named. */
  readonly ticket: boolean;
}

/** Whose authenticator a gate asks for. */
export interface Enrolment {
  readonly gate: string;
  readonly of: "member" | "socket";
}

/**
 * `once`: the client has what it takes and may offer it unasked. `asked`: the answer depends on the question, which comes from the
 * challenge's id alone. `prepared`: the part that judges the answer has to make the question. `waits`: somebody outside the connection has to
 * do something first, and the handshake is parked until then.
 */
export type Dialogue = "once" | "asked" | "prepared" | "waits";

/**
 * All that the policy and the machine know of a gate. Whether an answer is right is not known here: that is for the part that
 * holds the secret, and the machine counts what it reports.
 */
export interface Gate {
  /** The item as an owner writes it, discriminated by `gate`; defaults are filled in. */
  readonly document: z.ZodType;
  /** The item as it is stored: every field present. */
  readonly stored: z.ZodType;
  /**
   * `first`: only as the very first item. `opening`: top level only, with nothing but `first` items before it.
   * `anywhere`: also inside `anyOf` and `allOf`.
   */
  readonly place: "first" | "opening" | "anywhere";
  /** A function where it is for the item to say. */
  readonly dialogue: Dialogue | ((item: { readonly gate: string }) => Dialogue);
  /** What the question says, made from the challenge's id alone, so that each challenge has another; null: nothing, or it is prepared. */
  prompt(item: { readonly gate: string }, cid: string): Readonly<Record<string, unknown>> | null;
  /** Passed (true) or failed (false) by the opening itself; null: the client has to answer. */
  decided(facts: OpeningFacts): boolean | null;
  /** What must be enrolled for the gate to be passable; null: nothing. */
  needs(item: { readonly gate: string }): Enrolment | null;
  /**
   * What somebody has to hold to pass it: `phone`, `mailbox`, `app-key`. Two gates that rest on the same are passed by one
   * device. Null: on nothing that one holds. Absent: on what it needs enrolled; else, where
   * the question is prepared, on nothing, and otherwise on something of its own.
   */
  restsOn?(item: { readonly gate: string }): string | null;
  /**
   * Whether what is answered is good only on the connection on which it is answered. Absent: no, and somebody in between (a page that looks like
   * the right one) can pass it on while the person is still there.
   */
  readonly boundToConnection?: boolean | ((item: { readonly gate: string }) => boolean);
  /** Of how many values a right answer is one, where people can guess it. */
  among?(item: { readonly gate: string }): number | null;
  /** Passing it shows the member who was named, though nothing has to be enrolled. */
  readonly bindsMember?: true;
  /** True where passing shows nothing of who the member is, whatever of theirs has to be enrolled. */
  readonly provesNobody?: true;
  /** Failing it is held against the network alone: nothing of a member's is guessed there. Absent: against whoever answers as well. */
  readonly countsForNobody?: true;
  /** Whether it can only be asked where an app key and the member have been proven; absent: no. */
  behindProof?(item: { readonly gate: string }): boolean;
  /**
   * Whether a handshake that leads into a decoy can ask for it: then it is asked for in the name of somebody who is never asked, and whether an answer
   * is believed has nothing to do with whether it is right. Absent: no.
   */
  playable?(item: { readonly gate: string }): boolean;
  /** How often it may stand in a policy; absent: as often as gates may. */
  readonly timesMax?: number;
}
