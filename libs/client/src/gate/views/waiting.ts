import type { Waiting } from "../../waiting.ts";
import { errorOf, h } from "../dom.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";
import { createMessagePanel, type MessagePanel } from "./message.ts";
import { wayOf } from "./names.ts";

/** Somebody acts elsewhere: opens a link, lets in, decides. Here is what they need to know. */
export function waitingView(
  say: Say,
  waiting: Waiting,
  parts: {
    readonly announce: (text: string) => void;
    readonly other: (() => void) | undefined;
    readonly wrong: string | undefined;
  },
): { readonly view: View; readonly panel: MessagePanel } {
  const { by, number, untilMs } = waiting;
  const panel = createMessagePanel(say, parts.announce, waiting);
  const read =
    number === null || by === "code" || by === "callback" ? [] : numberOf(harmless(number), say(`number.${by}`));
  return {
    view: {
      name: "waiting",
      title: wayOf(say, { ...waiting, ask: null }),
      body: [errorOf(parts.wrong), ...read, panel.status, ...panel.resend],
      focus: null,
      untilMs,
      other: parts.other,
      tick: panel.tick,
    },
    panel,
  };
}

/** Shown large, and read out digit by digit: it is compared with what somebody types elsewhere. */
function numberOf(number: string, label: string): readonly Node[] {
  return [
    h("p", { part: "label" }, label, h("span", { class: "unseen" }, ` ${[...number].join(", ")}`)),
    h("p", { part: "number", class: "number", "aria-hidden": "true", dir: "ltr" }, number),
  ];
}
