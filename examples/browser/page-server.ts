import { timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";

/** What the page gets to know where it has its key. */
export interface Shown {
  readonly url: string;
  readonly member: string;
  readonly appKey: string;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const files = [
  { path: "/", name: "index.html", type: "text/html" },
  { path: "/style.css", name: "style.css", type: "text/css" },
  { path: "/icon.svg", name: "icon.svg", type: "image/svg+xml" },
];

/**
 * Everybody on this machine can reach it, so the demo's secrets are for who has the page's key: that is in the address which is printed, and no other user reads that.
 *
 * @param scripts by path
 */
export function createPageServer(shown: Shown, pageKey: string, scripts: ReadonlyMap<string, string>): Server {
  const answers = new Map<string, Answer>();
  for (const { path, name, type } of files)
    answers.set(path, { status: 200, type, body: readFileSync(join(import.meta.dirname, "page", name), "utf8") });
  for (const [path, body] of scripts) answers.set(path, { status: 200, type: "text/javascript", body });
  const { url, member, appKey } = shown;
  const secrets = new Map<string, Answer>([
    ["/demo", { status: 200, type: "application/json", body: JSON.stringify({ url, member }) }],
    ["/app-key", { status: 200, type: "text/plain", body: appKey }],
  ]);
  const headers = headersFor(url);

  function answerTo({ method, url: path = "", headers: { authorization = "" } }: IncomingMessage): Answer {
    if (method !== "GET" && method !== "HEAD") return refusal(405, "Only GET and HEAD.");
    const secret = secrets.get(path);
    if (secret !== undefined && !isSame(authorization, `Bearer ${pageKey}`))
      return refusal(401, "That is not the key.");
    return secret ?? answers.get(path) ?? refusal(404, "There is nothing here.");
  }

  return createServer((request, response) => {
    const { status, type, body } = answerTo(request);
    response.writeHead(status, { ...headers, "content-type": `${type}; charset=utf-8` }).end(body);
  });
}

function refusal(status: number, body: string): Answer {
  return { status, type: "text/plain", body };
}

function isSame(given: string, expected: string): boolean {
  const [one, other] = [Buffer.from(given), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}

/** Nothing of elsewhere, no markup made by scripts, no frame around it, and nobody keeps it; it speaks to its own origin and to the socket's. */
function headersFor(socket: string): Readonly<Record<string, string>> {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src 'self' ${new URL(socket).origin}`,
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
  return {
    "content-security-policy": policy,
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  };
}
