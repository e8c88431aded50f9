import type { IncomingMessage } from "node:http";
import ipaddr from "ipaddr.js";

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Whom a connection comes from. `text` is personal data: for the bus, never for telemetry. */
export interface ClientAddress {
  readonly text: string;
  /** What counts as one client: an IPv4 address, or an IPv6 /64 (a single subscriber has 2^64 addresses to hop between). */
  readonly network: string;
}

// Each hop costs a parse; no honest chain of proxies is longer.
const hopsMax = 32;

/**
 * The address of the nearest hop that is no trusted proxy. `X-Forwarded-For` is read from the right: what stands further
 * left was written by the client itself and may be anything.
 *
 * @param trustedProxies networks in CIDR notation
 */
export function clientAddressReader(trustedProxies: readonly string[]): (request: IncomingMessage) => ClientAddress {
  const trusted = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  const isTrusted = (address: Address) =>
    trusted.some(([network, bits]) => network.kind() === address.kind() && address.match(network, bits));

  return (request) => {
    let nearest = parsed(request.socket.remoteAddress);
    if (nearest === null) return { text: "unknown", network: "unknown" };
    const header = request.headers["x-forwarded-for"];
    const hops = (Array.isArray(header) ? header.join(",") : (header ?? "")).split(",").slice(-hopsMax);
    while (isTrusted(nearest)) {
      const hop = parsed(hops.pop()?.trim());
      // A proxy that forwards nonsense is the best address there is.
      if (hop === null) break;
      nearest = hop;
    }
    return { text: nearest.toString(), network: networkOf(nearest) };
  };
}

/** IPv4 in IPv6 counts as the IPv4 address that it is; zone ids are dropped. */
function parsed(text: string | undefined): Address | null {
  if (text === undefined) return null;
  const bare = text.split("%", 1)[0] ?? "";
  return ipaddr.isValid(bare) && !/^\d+$/.test(bare) ? ipaddr.process(bare) : null;
}

function networkOf(address: Address): string {
  if (address instanceof ipaddr.IPv4) return address.toString();
  return `${address.parts.slice(0, 4).join(":")}::/64`;
}
