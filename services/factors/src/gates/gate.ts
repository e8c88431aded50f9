import type { Clock, Vault } from "@portcullis/runtime";
import type { State } from "@portcullis/state";
import type { AnswerRules } from "../authenticators/answer-rules.ts";
import type { Codes } from "../authenticators/codes.ts";
import type { AuthenticatorStore } from "../authenticators/store.ts";
import type { KeySets } from "../jwt/key-sets.ts";
import type { Assertions } from "../passkeys/assertion.ts";
import type { PasskeyStore } from "../passkeys/store.ts";
import type { SignStore } from "../signs/store.ts";
import type { Channel } from "../waits/channel.ts";
import type { Waits } from "../waits/waits.ts";
import type { Suspicion } from "./suspicion.ts";

/** Where the answer comes from, and what a gate may use to judge it. */
export interface GateContext {
  readonly hid: string;
  readonly socketId: string;
  /** Claimed, and proven by nothing but the gates themselves; null on an anonymous connection. */
  readonly memberId: string | null;
  /** The name under which it was claimed. */
  readonly member?: string | null | undefined;
  /** Transcript hash of the connection. */
  readonly transcript: Uint8Array;
  /** Names the network that the client comes from: an HMAC. */
  readonly network: string;
  /** Of the challenge that is answered; null for what was offered. */
  readonly cid: string | null;
  readonly clock: Clock;
  /** For what is counted, or good once. Keys begin with `factors.` and the gate. */
  readonly state: State;
  readonly vault: Vault;
  readonly suspicion: Suspicion;
  readonly keySets: KeySets;
  readonly codes: Codes;
  readonly waits: Pick<Waits, "check">;
  readonly answerSecrets: Pick<AuthenticatorStore, "find">;
  readonly passkeys: { readonly store: Pick<PasskeyStore, "credentials">; readonly assertions: Assertions };
  readonly answerRules: Pick<AnswerRules, "judge">;
  readonly signs: Pick<SignStore, "find">;
  /** Fingerprints of every key that clients take for this server. */
  readonly identities: () => Promise<readonly string[]>;
}

/** How a gate waits: over which channel somebody is told, and what they then do. */
export interface WaitKind {
  /** Null: nobody is sent anything. */
  readonly channel: Channel | null;
  /** `code`: typed into the client. `link`: a page where a number is typed. `approval`: a person of the socket. `callback`: a service. */
  readonly by: "code" | "link" | "approval" | "callback";
}

export interface GateItem {
  /** Names this answer within the handshake; a repetition has the same. */
  readonly ref: string;
  /** The gate as the policy has it. */
  readonly config: Readonly<Record<string, unknown>>;
  /** What the client sent. */
  readonly value: string;
  /** The wait that it is for. */
  readonly waitId: string | null;
}

export interface GateResult {
  readonly ok: boolean;
  /** For logs and metrics: one of a few words, at most 64 characters, never a part of the answer. Null where it is ok. */
  readonly cause: string | null;
}

export interface Gate {
  /** As in a policy. */
  readonly name: string;
  /**
   * Makes the question, where the policy says that it is prepared: for the same `cid` one that is judged alike.
   * @returns null where it cannot be asked now
   */
  prepare?(
    context: GateContext & {
      readonly cid: string;
      /** What the handshake has proven by now: that somebody holds an app key, and by a gate bound to the member that it is them. */
      readonly proven: { readonly key: boolean; readonly memberBound: boolean };
    },
    config: GateItem["config"],
  ): Promise<Record<string, unknown> | null>;
  /** Where the policy says that it waits. @returns null for a configuration that makes no sense */
  wait?(config: GateItem["config"]): WaitKind | null;
  /** Judges one answer. The same `hid` and `ref` again get the same result; a refusal shows by `cause` alone what was wrong. */
  verify(context: GateContext, item: GateItem): Promise<GateResult>;
}
