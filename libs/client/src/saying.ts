import type { StepUpAction } from "@portcullis/protocol";
import type { Wish } from "./dialogue.ts";
import { PortcullisError } from "./errors.ts";
import type { FrameSummary } from "./narration.ts";

/**
 * What is said for what the person wants, at the gates and while the session lives.
 *
 * @param th transcript hash of the connection on which it is said: a proof holds there, and nowhere else
 */
export async function sayingOf(wish: Wish, th: Uint8Array): Promise<StepUpAction> {
  switch (wish.kind) {
    case "given-up": {
      const { error } = wish;
      const isReported = error instanceof PortcullisError && error.code === "not-recognised";
      return { t: "cancel", ...(isReported ? { why: "not-recognised" } : {}) };
    }
    case "resend":
      return { t: "resend", cid: wish.cid };
    case "answered": {
      const { cid } = wish;
      const { gate, at, value, prove } = wish.reply;
      if (value === null) return { t: "start", cid, gate, at };
      return { t: "answer", cid, gate, at, value: prove === undefined ? value : await prove({ th, cid }) };
    }
  }
}

/** What may be shown of it. */
export function summaryOf(saying: StepUpAction): FrameSummary {
  return saying.t === "answer" || saying.t === "start" ? { gate: saying.gate, at: saying.at ?? "" } : {};
}
