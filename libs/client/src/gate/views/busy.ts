import { h, setText } from "../dom.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";

/** Something is under way that nobody has to do anything for. */
export function busyView(given: {
  readonly name: string;
  readonly title: string;
  readonly text: string;
  readonly untilMs?: number;
}): View {
  const elapsed = h("span", { part: "elapsed", "aria-hidden": "true" });
  const beganMs = Date.now();
  return {
    ...given,
    body: [
      h("p", {}, given.text),
      h("p", { class: "working" }, h("progress", { part: "bar", "aria-label": given.title }), elapsed),
    ],
    focus: null,
    tick: (nowMs) => {
      setText(elapsed, `${Math.max(0, Math.floor((nowMs - beganMs) / 1_000))} s`);
    },
  };
}

export function connectingView(say: Say): View {
  return busyView({ name: "connecting", title: say("connecting.title"), text: say("connecting.text") });
}
