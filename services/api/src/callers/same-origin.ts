import { ServiceError } from "@portcullis/contracts";
import type { FastifyRequest } from "fastify";
import { invalid } from "../http/issues.ts";

const safeMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/**
 * Against cross-site request forgery: a page elsewhere makes the owner's browser send a request, and the browser adds the
 * cookie. SameSite does not help against the subdomains of our own site, which sockets have. So an unsafe request has to say
 * that it comes from our own pages, in headers that scripts cannot write: `Sec-Fetch-Site` (W3C Fetch Metadata), or, where a
 * browser sends none (old ones; plain http), `Origin`. One that carries the cookie and neither is refused; programs use tokens.
 * The content type is the second wall: forms cannot send JSON, and a script that does needs a preflight that nobody answers.
 *
 * Without a cookie the same holds for what a browser does say: a foreign page must not sign its visitor in to somebody
 * else's account either.
 *
 * @throws {ServiceError} `forbidden`, or `invalid` for a body that is not JSON.
 */
export function requireSameOrigin(request: FastifyRequest, ownOrigin: string, withCookie: boolean): void {
  if (safeMethods.has(request.method)) return;
  const site = request.headers["sec-fetch-site"];
  const { origin } = request.headers;
  if (site !== undefined) {
    if (site !== "same-origin" && site !== "none") throw new ServiceError("forbidden");
  } else if (origin !== undefined ? origin !== ownOrigin : withCookie) {
    throw new ServiceError("forbidden");
  }
  if (!isJson(request)) throw invalid({ path: "content-type", message: "must be application/json" });
}

function isJson({ headers }: FastifyRequest): boolean {
  const type = headers["content-type"];
  if (type !== undefined) return /^application\/json\s*(?:;|$)/i.test(type);
  return headers["transfer-encoding"] === undefined && (headers["content-length"] ?? "0") === "0";
}
