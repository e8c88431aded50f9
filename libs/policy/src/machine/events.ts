import type { GateName } from "../gates/registry.ts";
import type { PlacedGate } from "../items.ts";
import type { DenyCause } from "./state.ts";

/** An answer without its value, which stays outside under `ref` (1-64 of A-Z a-z 0-9 _ -, never used before). */
export interface Answer {
  readonly ref: string;
  readonly gate: string;
  /** Position of the gate that is meant; without it the first that fits. */
  readonly at?: string | null | undefined;
}

/** `cid`, `nextCid`: a fresh random id, used if the step leads to a challenge. `now`: epoch ms. */
export type HandshakeEvent =
  /** First of all events, with the answers of the first frame. */
  | { readonly type: "opened"; readonly answers: readonly Answer[]; readonly cid: string; readonly now: number }
  | ({ readonly type: "answered"; readonly cid: string; readonly nextCid: string; readonly now: number } & Answer)
  | { readonly type: "offered"; readonly answers: readonly Answer[]; readonly now: number }
  /** One result for each item of the last `verify`. */
  | { readonly type: "verified"; readonly results: readonly Result[]; readonly nextCid: string; readonly now: number }
  /** The client picks a gate that waits. `waitId`: a fresh id, the name of the wait if it comes to one. */
  | {
      readonly type: "started";
      readonly cid: string;
      readonly gate: string;
      readonly at?: string | null | undefined;
      readonly waitId: string;
      readonly nextCid: string;
      readonly now: number;
    }
  /** The last `start` was carried out: somebody has been, or will be, sent a message. */
  | { readonly type: "begun"; readonly waitId: string; readonly nextCid: string; readonly now: number }
  /** Whoever was waited for has confirmed, elsewhere. */
  | { readonly type: "confirmed"; readonly waitId: string; readonly nextCid: string; readonly now: number }
  /** Whoever was waited for cannot confirm any more: too many wrong tries elsewhere. */
  | { readonly type: "spent"; readonly waitId: string; readonly nextCid: string; readonly now: number }
  /** Whoever was waited for has said no. */
  | { readonly type: "refused"; readonly waitId: string; readonly now: number }
  /** The moment of `deadlineMs` has come. */
  | { readonly type: "expired"; readonly now: number }
  /** The connection is gone, or the client gave up; `why` where it said so. */
  | { readonly type: "left"; readonly why?: "not-recognised" | undefined; readonly now: number }
  /** What the handshake stands on is gone: the key was revoked, or the member, the socket or an authenticator removed. */
  | { readonly type: "revoked"; readonly now: number }
  /** So much has failed, here or elsewhere, that nothing of it is looked at any more for a while. */
  | { readonly type: "held"; readonly now: number };

export interface Result {
  readonly ref: string;
  readonly ok: boolean;
  /** For logs; the machine does not look at it. */
  readonly cause?: string | null | undefined;
}

/**
 * Why an event or an answer had no effect. `stale` (a challenge that is not outstanding), `unexpected` (no open gate fits, or
 * the ref was used) and `busy` (an offer while another is being verified) were counted as failures. `ended` (verdict given),
 * `early` (no deadline has passed), `duplicate` (opened before), `not-pending` (results that were not asked for, a wait that is not
 * waited for any more) and `later` (something else is being looked at) cannot come from the client and count nothing.
 */
export type IgnoreCause = "stale" | "unexpected" | "busy" | "ended" | "early" | "duplicate" | "not-pending" | "later";

export interface VerifyItem extends PlacedGate {
  readonly ref: string;
  /** The wait that the answer is for; null at a gate that does not wait. */
  readonly waitId: string | null;
}

export interface Assurance {
  /** The box opened under an app key, required or not. */
  readonly key: boolean;
  /** A gate bound to the member has passed: the name is no mere claim. */
  readonly memberBound: boolean;
  readonly gates: readonly GateName[];
}

export type Effect =
  | { readonly do: "verify"; readonly items: readonly VerifyItem[] }
  | {
      readonly do: "challenge";
      readonly cid: string;
      readonly options: readonly PlacedGate[];
      readonly attemptsLeft: number;
      /** Epoch ms. */
      readonly answerByMs: number;
      /** The last answer was wrong. */
      readonly retry: boolean;
    }
  /** Begin a wait, then say `begun`. */
  | ({ readonly do: "start"; readonly waitId: string; readonly byMs: number } & PlacedGate)
  /** As a challenge, whose options are those of the last one: but this gate is waited for now. */
  | ({
      readonly do: "wait";
      readonly cid: string;
      readonly waitId: string;
      readonly attemptsLeft: number;
      readonly answerByMs: number;
      readonly retry: boolean;
    } & PlacedGate)
  /** `passed`: names of the gates in the order in which they passed, without the implicit `path`. */
  | { readonly do: "accept"; readonly passed: readonly GateName[]; readonly assurance: Assurance }
  | { readonly do: "deny"; readonly cause: DenyCause }
  | { readonly do: "ignore"; readonly cause: IgnoreCause };
