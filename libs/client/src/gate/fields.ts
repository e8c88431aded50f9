import { button, errorOf, h, setError } from "./dom.ts";
import type { Say } from "./texts.ts";

type Attributes = Parameters<typeof h>[1];

/** A label, a field, what belongs to it, and what was wrong with it: told to assistive technology as one. */
export interface Field {
  readonly nodes: readonly Node[];
  readonly input: HTMLInputElement;
  fail(text: string): void;
}

let made = 0;

/**
 * @param given.hint what is said below the label
 * @param given.about what stands elsewhere, and whoever is in the field has to know
 * @param given.wrong what was wrong with the answer before
 */
export function createField(given: {
  readonly label: string;
  readonly attributes?: Attributes;
  readonly hint?: string | undefined;
  readonly about?: readonly HTMLElement[];
  readonly wrong?: string | undefined;
}): Field {
  made += 1;
  const id = `field-${made}`;
  const { label, about = [], wrong } = given;
  const hint = given.hint === undefined ? [] : [h("p", { part: "hint", class: "hint" }, given.hint)];
  const error = errorOf(wrong, `${id}-wrong`);
  const described = [...about, ...hint];
  for (const [n, each] of described.entries()) each.id = `${id}-about-${n}`;
  const input = h("input", {
    id,
    part: "input",
    type: "text",
    autocomplete: "off",
    autocapitalize: "off",
    autocorrect: "off",
    spellcheck: "false",
    dir: "auto",
    "aria-describedby": [...described, error].map((each) => each.id).join(" "),
    "aria-invalid": wrong === undefined ? undefined : "true",
    ...given.attributes,
  });
  return {
    nodes: [h("label", { for: id, part: "label" }, label), ...hint, input, error],
    input,
    fail(text) {
      // What was in it is on its way: whoever presses twice has forgotten nothing.
      if (input.readOnly) return;
      setError(error, text);
      input.setAttribute("aria-invalid", "true");
      input.focus();
    },
  };
}

/** One of several, by mouse and arrow keys; nothing is chosen at first. @param given.choices text, or what stands in its place */
export function createChoices(given: {
  readonly legend: Node | string;
  readonly choices: readonly (Node | string)[];
  readonly wrong?: string | undefined;
}): {
  readonly node: HTMLFieldSetElement;
  readonly first: HTMLInputElement | null;
  chosen(): number;
  fail(text: string): void;
} {
  made += 1;
  const name = `choice-${made}`;
  const { legend, choices, wrong } = given;
  const error = errorOf(wrong, `${name}-wrong`);
  const radios = choices.map((_choice, index) => h("input", { type: "radio", name, id: `${name}-${index}` }));
  const rows = radios.map((radio, index) => {
    const choice = choices[index] ?? "";
    const label = h("label", { for: `${name}-${index}`, part: "choice", class: "choice" }, radio);
    label.append(typeof choice === "string" ? h("span", { dir: "auto" }, choice) : choice);
    return label;
  });
  const node = h(
    "fieldset",
    {
      role: "radiogroup",
      "aria-describedby": error.id,
      "aria-invalid": wrong === undefined ? undefined : "true",
    },
    h("legend", {}, legend),
    ...rows,
    error,
  );
  const [first = null] = radios;
  return {
    node,
    first,
    chosen: () => radios.findIndex(({ checked }) => checked),
    fail(text) {
      setError(error, text);
      node.setAttribute("aria-invalid", "true");
      first?.focus();
    },
  };
}

/** A form that goes nowhere: Enter in a field and its button do the same. */
export function createForm(say: Say, submit: () => void, ...children: readonly (Node | string)[]): HTMLFormElement {
  return formWith(say("submit"), submit, ...children);
}

export function formWith(text: string, submit: () => void, ...children: readonly (Node | string)[]): HTMLFormElement {
  const go = button(text, "submit", () => {});
  go.type = "submit";
  const form = h("form", { novalidate: true, autocomplete: "off" }, ...children, go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  return form;
}
