import { type Ident, identOf } from "../../prompts/ident.ts";
import { notRecognised, type Server } from "../../question.ts";
import type { Asked } from "../asked.ts";
import { button, h } from "../dom.ts";
import { createChoices, createField, createForm } from "../fields.ts";
import type { Say } from "../texts.ts";
import { another, type View } from "../view.ts";
import { titleOf } from "./names.ts";

type Done = (value: string | typeof notRecognised | typeof another) => void;

/** The person makes sure of the server (docs/protocol.md section 9). */
export function identView(say: Say, asked: Asked, done: Done): View {
  const { option, server, retry, hasOthers, untilMs } = asked;
  const shown = identOf(option.details);
  const wrong = retry ? say("ident.wrong") : undefined;
  const { body, focus } = asking(say, shown, wrong, done);
  return {
    name: `ident-${shown.ask}`,
    title: titleOf(say, option),
    body: [
      ...identNodes(say, { ...shown, server }),
      ...body,
      button(say("ident.not"), "not-recognised", () => done(notRecognised)),
    ],
    focus,
    untilMs,
    other: hasOthers ? () => done(another) : undefined,
  };
}

interface Body {
  readonly body: readonly Node[];
  readonly focus: HTMLElement | null;
}

function asking(say: Say, { ask, signs }: Ident, wrong: string | undefined, done: Done): Body {
  if (ask === "type") {
    const field = createField({ label: say("ident.type"), wrong, attributes: { dir: "ltr" } });
    const submit = () => {
      if (field.input.value.trim() === "") return field.fail(say("wrong.empty"));
      done(field.input.value);
    };
    return { body: [createForm(say, submit, ...field.nodes)], focus: field.input };
  }
  if (ask === "pick") {
    const choices = signs.map((sign, index) => signOf(sign, say("ident.signNumber", { n: index + 1 })));
    const group = createChoices({ legend: say("ident.pick"), choices, wrong });
    const submit = () => {
      if (group.chosen() < 0) return group.fail(say("wrong.choice"));
      done(`${group.chosen() + 1}`);
    };
    return { body: [createForm(say, submit, group.node)], focus: group.first };
  }
  // The title has the focus, and not the button: whoever presses Enter without looking has not looked.
  return { body: [button(say("ident.agree"), "submit", () => done("agree"))], focus: null };
}

/** What the person may recognise. Where they are to type the words, or to pick their sign, those are not shown. */
export function identNodes(say: Say, { ask, sign, server }: Ident & { readonly server: Server }): readonly Node[] {
  const own = sign === null ? [] : [signOf(sign, say("ident.sign"))];
  if (ask === "pick") return own;
  const picture = h(
    "pre",
    { role: "img", "aria-label": say("ident.picture"), dir: "ltr" },
    server.randomart.join("\n"),
  );
  return [
    ...own,
    ...(ask === "type" ? [] : [wordsNode(say("ident.words"), server.words)]),
    figureOf(say("ident.picture"), picture, { part: "picture" }),
  ];
}

/** Six words of a key, which are English wherever they are compared. */
export function wordsNode(caption: string, words: string): HTMLElement {
  return figureOf(caption, h("p", { part: "words", class: "words", dir: "ltr", lang: "en" }, words));
}

/** Wider than this it does not fit on a small screen, and can be scrolled, by keyboard as well. */
const columnsMax = 28;

/** In a frame: whatever is in it, nobody takes it for a part of this element. */
function signOf(sign: string, caption: string): HTMLElement {
  const isWide = sign.split("\n").some((line) => line.length > columnsMax);
  const pre = h("pre", { dir: "ltr", tabindex: isWide ? 0 : undefined }, sign);
  return figureOf(caption, pre, { part: "sign", class: "sign" });
}

function figureOf(caption: string, content: Node, attributes: Readonly<Record<string, string>> = {}): HTMLElement {
  return h("figure", attributes, h("figcaption", {}, caption), content);
}
