import type { Caller } from "@portcullis/bus";
import { aboutSession, demandStepUp, kickMember, ServiceError } from "@portcullis/contracts";
import {
  type AskDirectory,
  type ConsumerDown,
  type ConsumerUp,
  type Failure,
  ProtocolError,
  type Publish,
} from "@portcullis/protocol";
import type { WordsOf } from "../sessions/words.ts";
import type { Receiver } from "./receivers.ts";

type Control = Exclude<ConsumerUp, AskDirectory | Publish>;

/**
 * What the owner's program asks for. What it can reach is on its own socket: that is `identity`'s to look at, and it is told which.
 *
 * @throws {ProtocolError} out-of-order: members ask for nothing of the kind
 */
export async function answerControl(
  { caller, wordsOf }: { readonly caller: Pick<Caller, "call">; readonly wordsOf: WordsOf },
  { sid: by, session: { role, socketId } }: Receiver,
  control: Control,
): Promise<ConsumerDown> {
  if (role === "member") throw new ProtocolError("out-of-order", "plaintext.t");
  const { ref, sid } = control;
  try {
    switch (control.t) {
      case "who": {
        const { about } = await caller.call(aboutSession, { socketId, sid });
        if (about === null) return { t: "failed", ref, code: "not-found" };
        const { acceptedAtMs: acceptedAt, expiresAtMs: expiresAt, steppedUpAtMs: steppedUpAt, ...same } = about;
        const words = await wordsOf(socketId, sid);
        return { t: "about", ref, sid, ...same, acceptedAt, expiresAt, steppedUpAt, words };
      }
      case "kick":
        await caller.call(kickMember, { socketId, by, sid });
        return { t: "done", ref };
      case "step-up":
        await caller.call(demandStepUp, { socketId, sid, rule: control.rule ?? null });
        return { t: "done", ref };
    }
  } catch (error) {
    if (error instanceof ServiceError) return { t: "failed", ref, code: failureOf(control, error) };
    throw error;
  }
}

function failureOf({ t }: Control, { code }: ServiceError): Failure {
  if (t === "step-up" && code === "not_found") return "not-found";
  // Its policy has no such rule, or it is nobody who is asked again.
  if (t === "step-up" && code === "invalid") return "unsupported";
  return "unavailable";
}
