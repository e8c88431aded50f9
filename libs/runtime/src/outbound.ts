import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import type { Option } from "./config.ts";
import { list, type TextType, textType } from "./config-types.ts";
import { type Address, networkMatcher, parseAddress } from "./network.ts";

/** What an operator allows beyond the public internet: a name, an address or a network, on any port. */
export interface OutboundRule {
  /** As in a URL, in lower case and without brackets, or a network in CIDR notation. */
  readonly to: string;
  /** Plain HTTP too. */
  readonly http: boolean;
}

/** An option: `hooks.internal`, `10.0.0.0/8`, `2001:db8::7`, and with `http://` in front for plain HTTP as well. */
export function outboundRule(): TextType<OutboundRule> {
  return textType(
    "a host or network like hooks.internal or 10.0.0.0/8, with http:// in front where TLS is not needed",
    (text) => {
      const http = text.startsWith("http://");
      const to = (http ? text.slice("http://".length) : text).toLowerCase();
      const [address = ""] = to.split("/");
      const known = isIP(address) !== 0 ? address === to || ipaddr.isValidCIDR(to) : isHostName(to);
      return known ? Object.freeze({ to, http }) : undefined;
    },
  );
}

/** For every service that sends to addresses which owners choose. */
export const outboundAllow = Object.freeze({
  env: "OUTBOUND_ALLOW",
  type: list(outboundRule()),
  default: null,
  describe:
    "Where webhooks and other requests to addresses that owners choose may go beyond the public internet over https: names, addresses or networks, with http:// in front where TLS is not needed, on any port. For development; whoever may make sockets reaches these. Unset: nowhere else.",
}) satisfies Option;

const urlCharactersMax = 2_048;

/**
 * An address that an owner may have requests sent to, as far as its text says. What its name resolves to is looked at when something
 * is sent, and only then: a name may be pointed elsewhere at any time, and here an answer would tell which names exist inside.
 *
 * @returns null for what is never sent to: another protocol or port, credentials, a fragment, an address that is not public
 */
export function outboundUrl(text: string, allow: readonly OutboundRule[]): URL | null {
  if (text.length > urlCharactersMax || /[\s\p{Cc}]/u.test(text)) return null;
  const url = URL.parse(text);
  if (url === null || url.username !== "" || url.password !== "" || url.hash !== "") return null;
  if (url.protocol !== "https:" && url.protocol !== "http:") return null;
  const literal = parseAddress(hostOf(url));
  if (literal !== null) return isPermitted(url, literal, allow) ? url : null;
  // Of a name only what no address could make good is known yet.
  if (url.protocol === "https:" && url.port === "") return url;
  const host = hostOf(url);
  const allowed = allow.some(({ to, http }) => (http || url.protocol === "https:") && (to === host || !isHostName(to)));
  return allowed ? url : null;
}

/** The host of a URL as DNS and rules know it: IPv6 without brackets, a name without the dot of the root. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

/** Whether a connection to this address may be made for this URL. */
export function isPermitted(url: URL, address: Address, allow: readonly OutboundRule[]): boolean {
  if (url.protocol === "https:" && url.port === "" && isPublic(address)) return true;
  const host = hostOf(url);
  return allow.some(
    ({ to, http }) =>
      (http || url.protocol === "https:") && (to === host || (!isHostName(to) && networkMatcher([to])(address))),
  );
}

/**
 * Whether an address is one of the public internet. Everything that IANA's special-purpose registries name is not (RFC 6890), nor is
 * IPv6 outside 2000::/3, nor are the forms that carry an IPv4 address in an IPv6 one (RFC 4291 2.5.5, 6052, 3056, 4380): a translator
 * on the way would lead them inside.
 */
export function isPublic(address: Address): boolean {
  if (address.range() !== "unicast") return false;
  return address instanceof ipaddr.IPv4 ? address.toString() !== azureHost : address.match(globalUnicast, globalBits);
}

/** Azure's machines reach their host's services by it, and nobody reaches it from outside: public by its number only. */
const azureHost = "168.63.129.16";

const [globalUnicast, globalBits] = ipaddr.IPv6.parseCIDR("2000::/3");

function isHostName(text: string): boolean {
  return /^(?=.{1,253}$)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*$/.test(text) && isIP(text) === 0;
}
