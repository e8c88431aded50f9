import { limits } from "@portcullis/protocol";
import type { Prompt } from "../../prompts/prompt.ts";
import type { Asked } from "../asked.ts";
import { h } from "../dom.ts";
import { createChoices, createField, createForm } from "../fields.ts";
import { harmless } from "../foreign.ts";
import type { Say } from "../texts.ts";
import { another, type View } from "../view.ts";
import type { MessagePanel } from "./message.ts";
import { titleOf } from "./names.ts";

type Done = (value: string | typeof another) => void;

const codeDigits = 6;

/** Whatever a person types, or picks of what is offered: a code, a word, an answer. */
export function typedView(say: Say, asked: Asked, panel: MessagePanel | null, done: Done): View {
  const { option, attemptsLeft, hasOthers } = asked;
  const choices = option.ask?.choices?.(option.details) ?? [];
  const left = h("p", { part: "attempts", class: "hint" }, say("attemptsLeft", { n: attemptsLeft }));
  const wrong = wrongOf(say, asked);
  const { body, focus } =
    choices.length > 0 ? chosenBody(say, asked, choices, wrong, done) : typedBody(say, asked, left, wrong, done);
  return {
    name: option.gate,
    title: titleOf(say, option),
    body: [...(panel === null ? [] : [panel.status]), ...body, left, ...(panel?.resend ?? [])],
    focus,
    untilMs: asked.untilMs,
    other: hasOthers ? () => done(another) : undefined,
    tick: panel?.tick,
  };
}

function wrongOf(say: Say, { option, retry }: Asked): string | undefined {
  if (!retry) return undefined;
  return option.ask?.inputMode === "numeric" ? say("wrong.code") : say("wrong");
}

interface Body {
  readonly body: readonly Node[];
  readonly focus: HTMLElement | null;
}

function typedBody(say: Say, { option }: Asked, left: HTMLElement, wrong: string | undefined, done: Done): Body {
  const { ask, details } = option;
  const shown = ask?.shown?.(details) ?? null;
  const isRule = details.kind === "rule";
  const isCode = ask?.inputMode === "numeric";
  const quoted = shown === null ? [] : [isRule ? statementOf(say, shown) : quoteOf(shown)];
  const field = createField({
    label: titleOf(say, option),
    hint: isRule ? say("rule.hint") : undefined,
    about: [...quoted, left],
    wrong,
    attributes: {
      // Whoever has a token is let in by it.
      type: option.gate === "jwt" ? "password" : "text",
      inputmode: ask?.inputMode,
      autocomplete: ask?.autocomplete,
      ...(isCode ? { class: "code", dir: "ltr" } : {}),
    },
  });
  const digits = typeof details.digits === "number" ? details.digits : codeDigits;
  const normal = () => ask?.normalise(field.input.value) ?? field.input.value;
  const submit = () => {
    const value = normal();
    if (value === "") return field.fail(say("wrong.empty"));
    if (!fits(ask, value)) return field.fail(isCode ? say("wrong.shape", { n: digits }) : say("wrong"));
    field.input.value = "";
    done(value);
  };
  const submitWhole = () => {
    if (isCode && normal().length === digits && fits(ask, normal())) submit();
  };
  // Typed, pasted with a space, or filled in by the platform: a code that is complete needs no button. What an input method has not finished would be
  // put into the next field.
  field.input.addEventListener("input", (event) => {
    if (!(event instanceof InputEvent && event.isComposing)) submitWhole();
  });
  field.input.addEventListener("compositionend", submitWhole);
  return { body: [...quoted, createForm(say, submit, ...field.nodes)], focus: field.input };
}

function fits(ask: Prompt | null, normal: string): boolean {
  // Longer than that nothing is sent, and it would be over.
  if (normal.length > limits.answerChars) return false;
  return ask === null || new RegExp(`^(?:${ask.pattern})$`, "u").test(normal);
}

function chosenBody(
  say: Say,
  { option }: Asked,
  choices: readonly string[],
  wrong: string | undefined,
  done: Done,
): Body {
  const shown = option.ask?.shown?.(option.details) ?? titleOf(say, option);
  const group = createChoices({
    legend: h("span", { dir: "auto" }, harmless(shown)),
    choices: choices.map(harmless),
    wrong,
  });
  const submit = () => {
    const value = choices[group.chosen()];
    if (value === undefined) group.fail(say("wrong.choice"));
    else done(value);
  };
  return { body: [createForm(say, submit, group.node)], focus: group.first };
}

/** Text of somebody else, in a frame of its own: whatever it says, it is not this element that says it. */
function quoteOf(text: string): HTMLElement {
  return h("blockquote", { part: "quote", class: "quote", dir: "auto" }, harmless(text));
}

/** Numbered, since the rule of whoever reads it counts. */
function statementOf(say: Say, statement: string): HTMLElement {
  const words = statement.split(" ").map((word) => h("li", {}, harmless(word)));
  return h("ol", { part: "statement", class: "statement", dir: "ltr", "aria-label": say("rule.statement") }, ...words);
}
