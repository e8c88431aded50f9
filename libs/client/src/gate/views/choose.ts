import type { QuestionOption } from "../../question-option.ts";
import { button, h } from "../dom.ts";
import type { Say } from "../texts.ts";
import type { View } from "../view.ts";
import { wayOf } from "./names.ts";

/** @param back where there is something to go back to that is waited for */
export function chooseView(
  say: Say,
  asked: {
    readonly options: readonly QuestionOption[];
    readonly untilMs: number;
    readonly back: (() => void) | undefined;
  },
  done: (option: QuestionOption) => void,
): View {
  const { options, untilMs, back } = asked;
  const ways = options.map((option) =>
    h(
      "li",
      {},
      button(wayOf(say, option), "way", () => done(option)),
    ),
  );
  return {
    name: "choose",
    title: say("choose.title"),
    body: [
      h("ul", { part: "ways", class: "ways", role: "list" }, ...ways),
      ...(back === undefined ? [] : [button(say("choose.back"), "back", back)]),
    ],
    focus: null,
    untilMs,
  };
}
