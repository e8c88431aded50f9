import type { Asked } from "../asked.ts";
import { button, errorOf, h } from "../dom.ts";
import type { Say } from "../texts.ts";
import { another, type View } from "../view.ts";
import { titleOf } from "./names.ts";

/**
 * A browser lets a page ask for a passkey only behind a press of a button, and a person should know what they are about to be asked.
 *
 * @param wrong what was wrong before, or is so here
 * @param canSign whether this browser, on this page, has passkeys
 */
export function passkeyView(
  say: Say,
  asked: Asked,
  wrong: string | undefined,
  canSign: boolean,
  done: (picked: "sign" | typeof another) => void,
): View {
  const { option, attemptsLeft, hasOthers, untilMs } = asked;
  const go = button(say("passkey.go"), "submit", () => done("sign"));
  return {
    name: "passkey",
    title: titleOf(say, option),
    body: [
      errorOf(wrong),
      ...(canSign
        ? [
            h("p", {}, say("passkey.text")),
            go,
            h("p", { part: "attempts", class: "hint" }, say("attemptsLeft", { n: attemptsLeft })),
          ]
        : []),
    ],
    focus: canSign ? go : null,
    untilMs,
    other: hasOthers ? () => done(another) : undefined,
  };
}
