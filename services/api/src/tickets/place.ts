import type { IncomingMessage } from "node:http";
import { reservedLabels } from "@portcullis/contracts";
import { destinationOf } from "@portcullis/runtime";
import type { Site } from "../site.ts";

/** A socket's address, asked for without an upgrade. `path` is a secret: never log it. */
export interface Place {
  readonly label: string;
  readonly path: string;
  /** Without `return_to`. */
  readonly query: string;
  /** Where the browser is to go on to; null: nowhere that could be meant. */
  readonly returnTo: URL | null;
  /** As it was asked for, for the form. */
  readonly returnToText: string;
}

/** Where requests for sockets' addresses are led to inside: no host and no path of theirs is a route, and none is logged. */
export const doorRoute = "/.socket";

const labelShape = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const returnToCharactersMax = 2_048;
/** Nothing in it that could end a directive of a content security policy. */
const originShape = /^https?:\/\/[a-z0-9.-]+(?::\d{1,5})?$/;

/**
 * Whether a request means a socket's address, and not a page of ours: `{label}.{domain}/{path}`, or `/{label}/{path}` on any other host. Depends
 * on the text alone, never on what exists. Labels that are reserved are ours, whichever way they are written.
 */
export function isSocketAddress(request: Pick<IncomingMessage, "headers" | "url">, domain: string): boolean {
  const found = destinationOf(request, domain);
  if (found === null || !labelShape.test(found.label) || reservedLabels.has(found.label)) return false;
  return found.path !== "";
}

/**
 * Whether nothing but sockets is at the host that a request names: SOCKETS_URL's and those below DOMAIN, unless owners reach the API there. Who leads
 * the world to the sockets' host does not lead it to the API.
 */
export function isSocketsHost(
  { headers }: Pick<IncomingMessage, "headers">,
  domain: string,
  site: Pick<Site, "origin" | "socketsOrigin">,
): boolean {
  const name = hostNameOf(headers);
  if (name === new URL(site.origin()).hostname) return false;
  return name === new URL(site.socketsOrigin()).hostname || name.endsWith(`.${domain}`);
}

/** Lower case, without a port. */
export function hostNameOf({ host = "" }: IncomingMessage["headers"]): string {
  return host.toLowerCase().replace(/:\d*$/, "").replace(/\.$/, "");
}

/** @throws nothing; null where it is no socket's address. */
export function placeOf(request: Pick<IncomingMessage, "headers" | "url">, domain: string): Place | null {
  const found = isSocketAddress(request, domain) ? destinationOf(request, domain) : null;
  if (found === null) return null;
  const { label, path } = found;
  const returnToText = new URLSearchParams(found.query).get("return_to") ?? "";
  const query = found.query
    .split("&")
    .filter((part) => !/^return_to(?:=|$)/.test(part))
    .join("&");
  return { label, path, query, returnTo: returnToOf(returnToText), returnToText };
}

/** A page of an application, with nothing in it that a ticket could be hidden behind. Whether it may be gone to is for the policy to say. */
export function returnToOf(text: string): URL | null {
  if (text.length > returnToCharactersMax || !URL.canParse(text)) return null;
  const url = new URL(text);
  if (!originShape.test(url.origin) || url.username !== "" || url.password !== "") return null;
  url.hash = "";
  return url;
}
