import type { PortcullisError } from "../../errors.ts";
import type { Session } from "../../session.ts";
import { button, h } from "../dom.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";
import { wordsNode } from "./ident.ts";
import { createLater } from "./later.ts";
import { titleOf } from "./names.ts";

export function acceptedView(say: Say, { gates, words, member }: Session): View {
  const passed = gates.map((gate) => titleOf(say, { gate, ask: null })).join(", ");
  return {
    name: "accepted",
    title: `${say("accepted.title")}${member === null ? "" : `: \u2068${harmless(member)}\u2069`}`,
    body: [
      ...(passed === "" ? [] : [h("p", {}, say("accepted.text", { gates: passed }))]),
      wordsNode(say("accepted.words"), words),
    ],
    focus: null,
    isIdle: true,
  };
}

type Announce = (text: string) => void;

/** Not let in. @param again begins anew */
export function deniedView(
  say: Say,
  { code, retryAfterMs }: PortcullisError,
  announce: Announce,
  again: () => void,
): View {
  const text = say.named(`denied.${code}`, say("denied.other"));
  const go = button(say("denied.again"), "submit", again);
  return endView(say, { name: "denied", title: say("denied.title"), text, retryAfterMs, go, announce });
}

/** The person left. */
export function cancelledView(say: Say, isRecognised: boolean, announce: Announce, again: () => void): View {
  const text = say(isRecognised ? "cancelled.text" : "cancelled.not-recognised");
  const go = button(say("denied.again"), "submit", again);
  return endView(say, { name: "cancelled", title: say("cancelled.title"), text, retryAfterMs: null, go, announce });
}

/** The session is over. */
export function closedView(say: Say, retryAfterMs: number | null, announce: Announce, again: () => void): View {
  const go = button(say("closed.again"), "submit", again);
  const view = endView(say, { name: "closed", title: say("closed.title"), text: "", retryAfterMs, go, announce });
  return { ...view, isUnasked: true };
}

function endView(
  say: Say,
  given: {
    readonly name: string;
    readonly title: string;
    readonly text: string;
    readonly retryAfterMs: number | null;
    readonly go: HTMLButtonElement;
    readonly announce: Announce;
  },
): View {
  const { name, title, text, retryAfterMs, go, announce } = given;
  const readyMs = Date.now() + (retryAfterMs ?? 0);
  const later = createLater(say, { go, left: "denied.in", ready: "denied.ready", announce });
  return {
    name,
    title,
    body: [...(text === "" ? [] : [h("p", { role: "alert" }, text)]), ...later.nodes],
    focus: null,
    isIdle: true,
    tick: (nowMs) => later.tick(readyMs, nowMs),
  };
}
