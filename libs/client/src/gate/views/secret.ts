import type { Asked } from "../asked.ts";
import { createField, createForm } from "../fields.ts";
import type { Say } from "../texts.ts";
import { another, type View } from "../view.ts";
import { titleOf } from "./names.ts";

/** For an excerpt, where the page has no answer secret of the member's. */
export function secretView(
  say: Say,
  { option, hasOthers, untilMs }: Asked,
  wrong: string | undefined,
  done: (value: string | typeof another) => void,
): View {
  const field = createField({
    label: say("secret.label"),
    hint: say("secret.hint"),
    wrong,
    attributes: { type: "password", dir: "ltr" },
  });
  const submit = () => {
    const value = field.input.value.trim();
    field.input.value = "";
    if (value === "") field.fail(say("wrong.empty"));
    else done(value);
  };
  return {
    name: "secret",
    title: titleOf(say, option),
    body: [createForm(say, submit, ...field.nodes)],
    focus: field.input,
    untilMs,
    other: hasOthers ? () => done(another) : undefined,
  };
}
