import { createHash } from "node:crypto";
import type { FastifyReply } from "fastify";

const style = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { margin: 0 auto; max-width: 36rem; padding: 2rem 1.25rem; background: Canvas; color: CanvasText; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.15rem; line-height: 1.25; }
label { display: block; font-weight: 600; margin-top: 1.5rem; }
input { box-sizing: border-box; max-width: 100%; font: inherit; padding: .5rem .75rem; margin: .25rem 0 0; border: 1px solid GrayText; border-radius: .375rem; }
input.number { font-size: 1.5rem; letter-spacing: .25em; width: 6em; }
button { font: inherit; font-weight: 600; padding: .5rem 1.25rem; border: 0; border-radius: .375rem; background: #1d4ed8; color: #fff; cursor: pointer; }
form p { margin: 1rem 0; }
:focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px; }
.error { color: #b91c1c; font-weight: 600; }
.quiet { color: color-mix(in srgb, CanvasText 70%, Canvas); }
article { border-top: 1px solid GrayText; padding: 1rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { .error { color: #fca5a5; } }
`;
const hashOf = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
const styleHash = hashOf(style);

export interface Page {
  readonly title: string;
  /** HTML. */
  readonly body: string;
  /** Of this origin; without one, the page runs nothing. */
  readonly script?: string;
  /** Its text, where the page has no path of its own to have one from. It asks this origin alone. */
  readonly inlineScript?: string;
  /** Origin that its form may be led on to. */
  readonly formTarget?: string;
}

/** A page of ours: nothing of elsewhere, no frame around it, and nobody keeps it. */
export function sendPage(
  reply: FastifyReply,
  status: number,
  { title, body, script, inlineScript, formTarget }: Page,
): FastifyReply {
  const runs = script !== undefined || inlineScript !== undefined;
  const sources = [
    ...(script === undefined ? [] : ["'self'"]),
    ...(inlineScript === undefined ? [] : [hashOf(inlineScript)]),
  ];
  const policy = [
    "default-src 'none'",
    `style-src ${styleHash}`,
    `script-src ${runs ? sources.join(" ") : "'none'"}`,
    `connect-src ${runs ? "'self'" : "'none'"}`,
    `form-action 'self'${formTarget === undefined ? "" : ` ${formTarget}`}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join(";");
  const tag = script === undefined ? "" : `<script type="module" src="${script}"></script>\n`;
  const inlineTag = inlineScript === undefined ? "" : `<script type="module">${inlineScript}</script>\n`;
  return reply
    .code(status)
    .headers({
      "content-security-policy": policy,
      "cache-control": "no-store",
      "x-robots-tag": "noindex",
      // The path holds a link's token and is told to nobody. The origin has to be: under `no-referrer` a browser calls it `null` when it
      // posts a form, and over plain http it says nothing else about where the form is from.
      "referrer-policy": "strict-origin",
    })
    .type("text/html; charset=utf-8")
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title>
<style>${style}</style>
${tag}${inlineTag}</head>
<body>
<main>
${body}
</main>
</body>
</html>
`);
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** For text and for attributes in quotes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
