import type { RateLimitPluginOptions } from "@fastify/rate-limit";
import { ServiceError } from "@portcullis/contracts";
import ipaddr from "ipaddr.js";

export const bodyBytesMax = 64 * 1024;
/** A percent-encoded member name of 128 characters, three bytes each. */
export const parameterCharactersMax = 384;

export const probeRoutes: ReadonlySet<string> = new Set(["/healthz", "/readyz"]);

/** Addresses that are remembered at once; beyond, the one that was quiet longest starts anew. */
const addressesMax = 10_000;

export function rateLimits(perMinute: number): RateLimitPluginOptions {
  return {
    global: false,
    max: perMinute,
    timeWindow: 60_000,
    cache: addressesMax,
    enableDraftSpec: true,
    // A load balancer asks from one address for everybody.
    allowList: ({ routeOptions }) => probeRoutes.has(routeOptions.url ?? ""),
    keyGenerator: (request) => networkOf(request.ip),
    errorResponseBuilder: () => new ServiceError("too_many"),
  };
}

/** Null for a trusted proxy: what comes from it is not its own. */
export function networkCounter(trustedProxies: readonly string[]): (address: string) => string | null {
  const trusted = trustedProxies.map((each) => {
    const parsed = ipaddr.isValid(each) ? ipaddr.parse(each) : null;
    return parsed === null ? ipaddr.parseCIDR(each) : ([parsed, parsed.kind() === "ipv4" ? 32 : 128] as const);
  });
  return (address) => {
    if (!ipaddr.isValid(address)) return "unknown";
    const parsed = ipaddr.process(address);
    const isTrusted = trusted.some(
      ([network, bits]) => network.kind() === parsed.kind() && parsed.match(network, bits),
    );
    return isTrusted ? null : networkOf(address);
  };
}

/** IPv4 as it is; of IPv6 the /64, which is what one customer gets: single addresses of it cost nothing. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return "unknown";
  const parsed = ipaddr.process(address);
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(":") : parsed.toString();
}
