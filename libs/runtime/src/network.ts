import { isIP } from "node:net";
import ipaddr from "ipaddr.js";
import { type TextType, textType } from "./config-types.ts";

export type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** IPv4 in IPv6 is the IPv4 address that it is; zone ids are dropped. @returns null for what is no address */
export function parseAddress(text: string): Address | null {
  const bare = text.split("%", 1)[0] ?? "";
  // A bare number is an address to the library, and to nobody else.
  return ipaddr.isValid(bare) && !/^\d+$/.test(bare) ? ipaddr.process(bare) : null;
}

/**
 * What counts as one client: an IPv4 address, or an IPv6 /64, which is what one subscriber gets: single addresses of it cost
 * nothing. Whatever is no address is one client together, "unknown".
 */
export function networkOf(address: string | Address): string {
  const parsed = typeof address === "string" ? parseAddress(address) : address;
  if (parsed === null) return "unknown";
  return parsed instanceof ipaddr.IPv4 ? parsed.toString() : `${parsed.parts.slice(0, 4).map(hex).join(":")}::/64`;
}

const hex = (part: number) => part.toString(16);

/** An option: an address, or a network in CIDR notation. */
export function network(): TextType<string> {
  return textType("an address or a network like 10.0.0.0/8", (text) => {
    const [address = "", ...prefix] = text.split("/");
    // The library also takes the octal and one-number forms of IPv4, which people do not mean when they write them.
    if (isIP(address) === 0) return undefined;
    return prefix.length === 0 || ipaddr.isValidCIDR(text) ? text : undefined;
  });
}

/** @param networks as `network` takes them */
export function networkMatcher(networks: readonly string[]): (address: Address) => boolean {
  const parsed = networks.map((each) => {
    const address = parseAddress(each);
    return address === null ? ipaddr.parseCIDR(each) : ([address, address.kind() === "ipv4" ? 32 : 128] as const);
  });
  return (address) =>
    parsed.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));
}
