import type { RateLimitPluginOptions } from "@fastify/rate-limit";
import { ServiceError } from "@portcullis/contracts";
import { networkMatcher, networkOf, parseAddress } from "@portcullis/runtime";

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
  const isTrusted = networkMatcher(trustedProxies);
  return (address) => {
    const parsed = parseAddress(address);
    return parsed !== null && isTrusted(parsed) ? null : networkOf(parsed ?? address);
  };
}
