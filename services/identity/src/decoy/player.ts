import { createHmac } from "node:crypto";
import type { WaitView } from "@portcullis/contracts";
import type { Clock } from "@portcullis/runtime";

export interface PlayedItem {
  readonly ref: string;
  readonly gate: string;
  readonly value: string;
}

/** In the place of `factors` in a handshake that leads into a decoy: nobody real is asked, counted or sent anything. */
export interface Player {
  /**
   * Whether an answer is believed. That one is right is not looked at: it is not used up, and nobody who is let in has shown anything. One of three is
   * believed, and the same one always alike, so that nothing is accepted at a fixed count, and nobody learns anything from trying the same twice.
   */
  believes(room: string, item: PlayedItem): boolean;
  /** A wait of which nobody is told. What is shown is made up, and for the same member always alike. */
  begin(who: Waited, gate: string): WaitView;
  /** Another message that is not sent. */
  resend(wait: WaitView): WaitView;
}

export interface Waited {
  readonly socketId: string;
  readonly memberId: string | null;
}

/** What `factors` takes between two messages. */
const spacingMs = 60_000;
const oneIn = 3;
/** Where a code is asked for, anything else is wrong to whoever sends it. */
const code = /^\d{6}$/;
const coded = ["otp", "email", "sms", "call"];
const hidden = "\u2022\u2022\u2022";
const letters = "abcdefghijklmnopqrstuvwxyz";
const endings = [".com", ".com", ".net", ".org"];

/** @param key 32 bytes, the same on all replicas */
export function createPlayer({ key, clock }: { readonly key: Uint8Array; readonly clock: Clock }): Player {
  const number = (...parts: (string | null)[]) =>
    createHmac("sha256", key).update(JSON.stringify(parts)).digest().readUInt32BE();
  const pick = (from: ArrayLike<string>, ...parts: (string | null)[]) => from[number(...parts) % from.length] ?? "";

  /** Of the form that `factors` gives to a contact. The member's own is not even read. */
  function contactOf({ socketId, memberId }: Waited, gate: string): string {
    // One phone has both.
    const kind = gate === "email" ? "email" : "phone";
    const of = (part: string) => ["contact", part, kind, socketId, memberId];
    if (kind === "phone") return `${hidden}${String(number(...of("digits")) % 100).padStart(2, "0")}`;
    const [name, host] = [pick(letters, ...of("name")), pick(letters, ...of("host"))];
    return `${name}${hidden}@${host}${hidden}${pick(endings, ...of("ending"))}`;
  }

  return {
    believes(room, { gate, value }) {
      if (coded.includes(gate) && !code.test(value)) return false;
      return number("answer", room, gate, value) % oneIn === 0;
    },
    begin: (who, gate) => ({
      prompt: { by: "code", to: contactOf(who, gate) },
      status: "sent",
      resendAtMs: clock() + spacingMs,
    }),
    resend(wait) {
      const now = clock();
      const isEarly = wait.resendAtMs === null || now < wait.resendAtMs;
      return isEarly ? wait : { ...wait, resendAtMs: now + spacingMs };
    },
  };
}
