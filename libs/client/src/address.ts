import { limits, type OpenPayload } from "@portcullis/protocol";

export interface Address {
  /** For the WebSocket; holds the secret path. */
  readonly href: string;
  /** As the edge derives it from the request that a WebSocket makes of `href`. */
  readonly dst: OpenPayload["dst"];
}

const defaultDomain = "localhost";
/** As the platform serialises it in a URL. */
const hostShape = /^[\w-][\w.-]*$/;

/**
 * `{label}.{domain}/{path}` where the host lies below the domain, else `/{label}/{path}` (docs/protocol.md section 2). Works on
 * the URL as the platform serialises it, since that is what its WebSocket sends.
 *
 * @param options.domain of the server; "localhost" unless told.
 * @param options.idParameter name of the query parameter that says who one is; "id" unless told.
 * @throws {TypeError} which never repeats the URL: its path is a secret.
 */
export function addressOf(
  url: string | URL,
  options: { readonly domain?: string | undefined; readonly idParameter?: string | undefined },
): Address {
  const parsed = parse(url);
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") throw new TypeError("The URL is not ws: or wss:.");
  if (parsed.username !== "" || parsed.password !== "") throw new TypeError("The URL must not hold credentials.");
  if (parsed.hash !== "") throw new TypeError("The URL must not hold a fragment.");

  const { domain = defaultDomain } = options;
  if (!hostShape.test(domain)) throw new TypeError("domain is not a host name.");

  const suffix = `.${domain.toLowerCase()}`;
  const host = parsed.hostname.toLowerCase().replace(/\.$/, "");
  const target = parsed.pathname.replace(/^\//, "");
  const slash = target.indexOf("/");
  const [label, path] = host.endsWith(suffix)
    ? [host.slice(0, -suffix.length), target]
    : slash === -1
      ? [target.toLowerCase(), ""]
      : [target.slice(0, slash).toLowerCase(), target.slice(slash + 1)];
  const query = parsed.search.replace(/^\?/, "");
  const id = parsed.searchParams.get(options.idParameter ?? "id") || null;

  if (label === "") throw new TypeError("The URL names no socket.");
  // No socket has an empty one: the server would say no more than that it lets nobody in.
  if (path === "")
    throw new TypeError("The URL has a label and no path. Where the label is in the host name, give domain.");
  if (label.length > limits.labelChars) throw new TypeError("The label of the URL is too long.");
  if (path.length > limits.pathChars) throw new TypeError("The path of the URL is too long.");
  if (query.length > limits.queryChars) throw new TypeError("The query of the URL is too long.");
  if (id !== null && id.length > limits.memberChars) throw new TypeError("The id in the URL is too long.");
  return { href: parsed.href, dst: { label, path, query, id } };
}

/** The platform's own error carries the URL along. */
function parse(url: string | URL): URL {
  try {
    return new URL(url);
  } catch {
    throw new TypeError("The URL is not valid.");
  }
}
