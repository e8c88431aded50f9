type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * An element with attributes and children. Children that are texts become text nodes, and nothing here takes markup: what an owner or a server says cannot
 * become an element (and a page with `require-trusted-types-for 'script'` has nothing to object to). Attributes are of this code's choice.
 *
 * @param attributes true: present and empty; false and undefined: absent
 */
export function h<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string | null)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : `${value}`);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export function button(text: string, part: string, pressed: () => void): HTMLButtonElement {
  const made = h("button", { type: "button", part: `button ${part}`, class: part }, text);
  made.addEventListener("click", () => {
    if (made.getAttribute("aria-disabled") !== "true") pressed();
  });
  return made;
}

/** What was wrong: read out at once, where it comes and where it becomes another. Undefined: nothing was. */
export function errorOf(text: string | undefined, id?: string): HTMLParagraphElement {
  return h("p", { id, part: "error", class: "error", role: "alert", hidden: text === undefined }, text ?? "");
}

export function setError(error: HTMLElement, text: string): void {
  error.hidden = false;
  error.textContent = text;
}

/** Stays focusable, so that whoever stands on it with the keyboard is not thrown off. */
export function disable(button: HTMLButtonElement, isDisabled: boolean): void {
  if (isDisabled) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

/** Only where it differs: screen readers and selections are not disturbed by what stays the same. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}
