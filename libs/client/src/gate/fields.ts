import { button, h } from "./dom.ts";
import type { Say } from "./texts.ts";

type Attributes = Parameters<typeof h>[1];

/** A label, a field, and what was wrong with it: told to assistive technology as one. */
export interface Field {
  readonly nodes: readonly Node[];
  readonly input: HTMLInputElement;
  fail(text: string): void;
}

let made = 0;

/** @param given.hint what is said below the label @param given.wrong what was wrong with the answer before */
export function createField(given: {
  readonly label: string;
  readonly attributes?: Attributes;
  readonly hint?: string | undefined;
  readonly wrong?: string | undefined;
}): Field {
  made += 1;
  const id = `field-${made}`;
  const { label, hint, wrong } = given;
  const error = h("p", { id: `${id}-wrong`, part: "error", class: "error", hidden: true });
  const input = h("input", {
    id,
    part: "input",
    type: "text",
    autocomplete: "off",
    autocapitalize: "off",
    autocorrect: "off",
    spellcheck: "false",
    dir: "auto",
    "aria-describedby": hint === undefined ? `${id}-wrong` : `${id}-hint ${id}-wrong`,
    ...given.attributes,
  });
  const field: Field = {
    nodes: [
      h("label", { for: id, part: "label" }, label),
      ...(hint === undefined ? [] : [h("p", { id: `${id}-hint`, part: "hint", class: "hint" }, hint)]),
      input,
      error,
    ],
    input,
    fail(text) {
      error.hidden = false;
      error.textContent = text;
      input.setAttribute("aria-invalid", "true");
    },
  };
  if (wrong !== undefined) field.fail(wrong);
  return field;
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
  const error = h("p", { id: `${name}-wrong`, part: "error", class: "error", hidden: true });
  const radios = given.choices.map((_choice, index) => h("input", { type: "radio", name, id: `${name}-${index}` }));
  const rows = radios.map((radio, index) => {
    const choice = given.choices[index] ?? "";
    const label = h("label", { for: `${name}-${index}`, part: "choice", class: "choice" }, radio);
    label.append(typeof choice === "string" ? h("span", { dir: "auto" }, choice) : choice);
    return label;
  });
  const node = h("fieldset", { "aria-describedby": `${name}-wrong` }, h("legend", {}, given.legend), ...rows, error);
  const fail = (text: string) => {
    error.hidden = false;
    error.textContent = text;
    for (const radio of radios) radio.setAttribute("aria-invalid", "true");
  };
  if (given.wrong !== undefined) fail(given.wrong);
  return { node, first: radios[0] ?? null, chosen: () => radios.findIndex(({ checked }) => checked), fail };
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
