import type { IncomingMessage } from "node:http";

/** Where a connection wants to go. `path` is a secret that a URL carries: never log it. */
export interface Destination {
  /** Lower case. */
  readonly label: string;
  /** Without the leading slash, as received. */
  readonly path: string;
  /** Without the question mark, as received. */
  readonly query: string;
}

// Those of the `connection` schema: what is longer could not be asked about.
const labelCharactersMax = 63;
const pathCharactersMax = 2_048;
const queryCharactersMax = 2_048;

/**
 * `{label}.{domain}/{path}` or, on every other host, `/{label}/{path}`. Depends on the text alone, never on what exists.
 *
 * @returns null where it is too long to be a destination
 */
export function destinationOf(request: Pick<IncomingMessage, "headers" | "url">, domain: string): Destination | null {
  const target = withoutOrigin(request.url ?? "/");
  const mark = target.indexOf("?");
  const pathname = (mark === -1 ? target : target.slice(0, mark)).replace(/^\//, "");
  const query = mark === -1 ? "" : target.slice(mark + 1);
  const onHost = labelOf(request.headers.host ?? "", domain);
  const slash = pathname.indexOf("/");
  const destination =
    onHost !== null
      ? { label: onHost, path: pathname, query }
      : {
          label: (slash === -1 ? pathname : pathname.slice(0, slash)).toLowerCase(),
          path: slash === -1 ? "" : pathname.slice(slash + 1),
          query,
        };
  const fits =
    destination.label.length <= labelCharactersMax &&
    destination.path.length <= pathCharactersMax &&
    destination.query.length <= queryCharactersMax;
  return fits ? destination : null;
}

/** What stands before the domain; null where the host is not below it. */
function labelOf(host: string, domain: string): string | null {
  const name = host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
  return name.endsWith(`.${domain}`) ? name.slice(0, -domain.length - 1) : null;
}

/** A proxy may send the absolute form (RFC 9112 section 3.2.2). */
function withoutOrigin(target: string): string {
  return target.startsWith("/") ? target : target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, "");
}
