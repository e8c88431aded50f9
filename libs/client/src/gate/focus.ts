/** Where somebody may be typing. What is in a frame, or behind a closed shadow root, nobody here can tell. */
const editable = [
  "input:not([type=button], [type=submit], [type=reset], [type=image])",
  "textarea, select, iframe, object, embed, [contenteditable], [role=textbox], [role=searchbox], [role=combobox]",
].join();
const isOpaque = ({ localName, shadowRoot }: Element) => localName.includes("-") && shadowRoot === null;

/** What the keyboard acts on, as far as anybody here can look. */
export function focused(): Element | null {
  let active = document.activeElement;
  while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
  return active;
}

/**
 * Whether the focus may come from where it is: from nowhere, and from a button or link of the page that led here; never out of a field in which somebody
 * may be typing: what they type next would land in the wrong place.
 */
export function mayTakeFocus(): boolean {
  const active = focused();
  return active === null || !(active.matches(editable) || isOpaque(active));
}
