import type { PortcullisError } from "../../errors.ts";
import type { Session } from "../../session.ts";
import { timeUntil } from "../clock.ts";
import { button, disable, h, setText } from "../dom.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";
import { titleOf } from "./names.ts";

export function acceptedView(say: Say, { gates, words, member }: Session): View {
  const passed = gates.map((gate) => titleOf(say, { gate, ask: null })).join(", ");
  return {
    name: "accepted",
    title: `${say("accepted.title")}${member === null ? "" : `: \u2068${harmless(member)}\u2069`}`,
    body: [
      ...(passed === "" ? [] : [h("p", {}, say("accepted.text", { gates: passed }))]),
      h(
        "figure",
        {},
        h("figcaption", {}, say("accepted.words")),
        h("p", { class: "words", dir: "ltr", lang: "en" }, words),
      ),
    ],
    focus: null,
    isIdle: true,
  };
}

/** Not let in. @param again begins anew */
export function deniedView(say: Say, { code, retryAfterMs }: PortcullisError, again: () => void): View {
  const text = say.named(`denied.${code}`, say("denied.other"));
  return endView(say, {
    name: "denied",
    title: say("denied.title"),
    text,
    retryAfterMs,
    go: say("denied.again"),
    again,
  });
}

/** The person left. */
export function cancelledView(say: Say, isRecognised: boolean, again: () => void): View {
  const text = say(isRecognised ? "cancelled.text" : "cancelled.not-recognised");
  return endView(say, {
    name: "cancelled",
    title: say("cancelled.title"),
    text,
    retryAfterMs: null,
    go: say("denied.again"),
    again,
  });
}

/** The session is over. */
export function closedView(say: Say, retryAfterMs: number | null, again: () => void): View {
  const view = endView(say, {
    name: "closed",
    title: say("closed.title"),
    text: "",
    retryAfterMs,
    go: say("closed.again"),
    again,
  });
  return { ...view, isUnasked: true };
}

function endView(
  say: Say,
  given: {
    readonly name: string;
    readonly title: string;
    readonly text: string;
    readonly retryAfterMs: number | null;
    readonly go: string;
    readonly again: () => void;
  },
): View {
  const { name, title, text, retryAfterMs, go, again } = given;
  const readyMs = Date.now() + (retryAfterMs ?? 0);
  const wait = h("p", { part: "retry", class: "status" });
  const press = button(go, "submit", again);
  return {
    name,
    title,
    body: [...(text === "" ? [] : [h("p", { role: "alert" }, text)]), wait, press],
    focus: null,
    isIdle: true,
    tick(nowMs) {
      const isReady = nowMs >= readyMs;
      disable(press, !isReady);
      wait.hidden = retryAfterMs === null;
      setText(wait, isReady ? say("denied.ready") : say("denied.in", { time: timeUntil(readyMs, nowMs) }));
    },
  };
}
