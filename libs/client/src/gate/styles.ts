/**
 * Adopted by each shadow root, which a Content Security Policy without inline styles allows. Colours follow the `color-scheme` of the page; a page that declares
 * none is light.
 */
export const styles = `
:host {
  --accent: var(--portcullis-accent, #1c5fa8);
  --on-accent: var(--portcullis-on-accent, #ffffff);
  --background: var(--portcullis-background, #ffffff);
  --text: var(--portcullis-text, #1b1f24);
  --muted: var(--portcullis-muted, #57606a);
  --border: var(--portcullis-border, #7d8590);
  --error: var(--portcullis-error, #b3261e);
  --warning: var(--portcullis-warning, #fff4d6);
  --radius: var(--portcullis-radius, 0.5rem);
  --font: var(--portcullis-font, system-ui, sans-serif);
  --mono: var(--portcullis-mono, ui-monospace, "DejaVu Sans Mono", monospace);
  --width: var(--portcullis-width, 26rem);
  display: block;
  max-inline-size: var(--width);
}
@supports (color: light-dark(#000, #fff)) {
  :host {
    --accent: var(--portcullis-accent, light-dark(#1c5fa8, #8ab8f0));
    --on-accent: var(--portcullis-on-accent, light-dark(#ffffff, #0d1b2a));
    --background: var(--portcullis-background, light-dark(#ffffff, #15191f));
    --text: var(--portcullis-text, light-dark(#1b1f24, #e6e9ee));
    --muted: var(--portcullis-muted, light-dark(#57606a, #a3acb8));
    --border: var(--portcullis-border, light-dark(#7d8590, #78828f));
    --error: var(--portcullis-error, light-dark(#b3261e, #ff9a92));
    --warning: var(--portcullis-warning, light-dark(#fff4d6, #3a2f12));
  }
}
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
.card {
  position: relative;
  inline-size: 100%;
  margin: 0;
  padding: 1.25rem;
  overflow: clip;
  color: var(--text);
  background: var(--background);
  border: 1px solid var(--border);
  border-radius: var(--radius);
  font: 1rem/1.5 var(--font);
  text-align: start;
  overflow-wrap: anywhere;
}
.card[data-raised] {
  position: fixed;
  inset-inline: auto 1rem;
  inset-block: auto 1rem;
  z-index: 2147483647;
  inline-size: min(var(--width), calc(100vi - 2rem));
  max-block-size: calc(100vb - 2rem);
  overflow: auto;
  box-shadow: 0 0.5rem 2rem rgb(0 0 0 / 0.35);
}
.head { display: flex; flex-wrap: wrap; gap: 0.25rem 1rem; align-items: baseline; justify-content: space-between; }
h2 { flex: 1 1 10rem; margin: 0; font-size: 1.2rem; line-height: 1.3; border-radius: 0.2rem; }
p, figure, blockquote, ul, ol, fieldset { margin: 0; padding: 0; }
.clock { color: var(--muted); font-variant-numeric: tabular-nums; }
.body, form, .banner, .ways { display: flex; flex-direction: column; gap: 0.75rem; }
.body { margin-block-start: 1rem; }
.foot { display: flex; flex-wrap: wrap; gap: 0.5rem; justify-content: flex-end; margin-block-start: 1.25rem; }
.foot:empty { display: none; }
.banner { margin-block-start: 1rem; padding: 0.75rem; border: 1px solid var(--border); border-radius: var(--radius); }
.notice, .warning { padding: 0.5rem 0.75rem; background: var(--warning); border: 1px solid var(--border); border-radius: var(--radius); }
.notice { margin-block-start: 1rem; }
.hint, .status, figcaption { color: var(--muted); }
.hint { font-size: 0.9rem; }
.error { color: var(--error); font-weight: 600; }
label, legend { font-weight: 600; }
form label { margin-block-end: -0.5rem; }
form .hint { margin-block-end: -0.25rem; }
fieldset { display: flex; flex-direction: column; gap: 0.75rem; min-inline-size: 0; border: 0; }
legend { margin-block-end: 0.5rem; padding: 0; }
input:not([type="radio"]) {
  inline-size: 100%;
  min-block-size: 2.75rem;
  padding: 0.5rem 0.75rem;
  color: inherit;
  background: transparent;
  border: 1px solid var(--border);
  border-radius: var(--radius);
  font: inherit;
}
input.code { font-family: var(--mono); font-size: 1.5rem; letter-spacing: 0.2em; text-align: center; }
input[aria-invalid="true"] { border-color: var(--error); border-width: 2px; }
input[type="radio"] { flex: none; inline-size: 1.25rem; block-size: 1.25rem; margin: 0.15rem 0 0; accent-color: var(--accent); }
form label.choice {
  display: flex;
  gap: 0.75rem;
  align-items: flex-start;
  margin: 0;
  padding: 0.6rem 0.75rem;
  border: 1px solid var(--border);
  border-radius: var(--radius);
  font-weight: 400;
  cursor: pointer;
}
.choice:has(:checked) { border-color: var(--accent); box-shadow: inset 0 0 0 1px var(--accent); }
.choice > :last-child { min-inline-size: 0; }
button {
  min-block-size: 2.75rem;
  padding: 0.5rem 1rem;
  color: var(--text);
  background: transparent;
  border: 1px solid var(--border);
  border-radius: var(--radius);
  font: inherit;
  cursor: pointer;
}
button.submit { color: var(--on-accent); background: var(--accent); border-color: var(--accent); font-weight: 600; }
button.not-recognised { color: var(--error); border-color: var(--error); }
button:hover:not([aria-disabled="true"]) { text-decoration: underline; }
button[aria-disabled="true"] { color: var(--muted); background: transparent; border-style: dashed; cursor: default; }
:focus { outline: none; }
:focus-visible, h2:focus { outline: 3px solid var(--accent); outline-offset: 2px; }
.ways { list-style: none; }
.ways button { inline-size: 100%; text-align: start; }
.number { font: 700 3.5rem/1.1 var(--mono); letter-spacing: 0.15em; text-align: center; }
.quote { padding: 0.5rem 0.75rem; border-inline-start: 0.25rem solid var(--border); white-space: pre-wrap; }
.statement { display: grid; grid-template-columns: repeat(auto-fill, minmax(7.5rem, 1fr)); gap: 0.25rem 0.5rem; padding-inline-start: 1.75rem; }
.statement li::marker { color: var(--muted); }
.words { font-family: var(--mono); font-weight: 600; }
pre {
  inline-size: fit-content;
  max-inline-size: 100%;
  margin: 0.25rem 0 0;
  padding: 0.5rem;
  overflow-x: auto;
  border: 1px solid var(--border);
  border-radius: 0.25rem;
  font: 0.85rem/1.15 var(--mono);
  text-align: left;
  overflow-wrap: normal;
}
.sign, figure { min-inline-size: 0; }
.working { display: flex; gap: 0.75rem; align-items: center; }
progress { flex: 1; accent-color: var(--accent); }
.progress { position: absolute; inset: 0 0 auto; block-size: 0.25rem; overflow: hidden; }
.progress::before {
  content: "";
  display: block;
  inline-size: 40%;
  block-size: 100%;
  background: var(--accent);
  animation: under-way 1.2s linear infinite;
}
@keyframes under-way { from { translate: -100% 0; } to { translate: 250% 0; } }
.unseen {
  position: absolute;
  inline-size: 1px;
  block-size: 1px;
  margin: -1px;
  overflow: hidden;
  clip-path: inset(50%);
  white-space: nowrap;
}
@media (prefers-reduced-motion: reduce) {
  .progress::before { inline-size: 100%; animation: none; }
  progress { appearance: none; block-size: 0.5rem; }
}
@media (forced-colors: active) {
  button.submit { color: ButtonText; background: ButtonFace; border: 2px solid ButtonText; }
  :focus-visible, h2:focus { outline-color: Highlight; }
  button[aria-disabled="true"] { color: GrayText; border-color: GrayText; }
  .choice:has(:checked) { border: 2px solid Highlight; }
  .progress::before { background: Highlight; }
}
`;

let sheet: CSSStyleSheet | null = null;

/** One for all of them. */
export function styleSheet(): CSSStyleSheet {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
  }
  return sheet;
}
