import type { IncomingMessage } from "node:http";
import { networkMatcher, networkOf, parseAddress } from "@portcullis/runtime";

/** Whom a connection comes from. `text` is personal data: for the bus, never for telemetry. */
export interface ClientAddress {
  readonly text: string;
  /** What counts as one client. */
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
  const isTrusted = networkMatcher(trustedProxies);

  return (request) => {
    let nearest = parseAddress(request.socket.remoteAddress ?? "");
    if (nearest === null) return { text: "unknown", network: "unknown" };
    const header = request.headers["x-forwarded-for"];
    const hops = (Array.isArray(header) ? header.join(",") : (header ?? "")).split(",").slice(-hopsMax);
    while (isTrusted(nearest)) {
      const hop = parseAddress(hops.pop()?.trim() ?? "");
      // A proxy that forwards nonsense is the best address there is.
      if (hop === null) break;
      nearest = hop;
    }
    return { text: nearest.toString(), network: networkOf(nearest) };
  };
}
