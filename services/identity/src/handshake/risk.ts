import type { Risk } from "@portcullis/policy";
import type { State } from "@portcullis/state";

/**
 * How suspicious a network is: how often connections from it have failed of late. A policy may ask for more where it is high (`when`).
 *
 * Counted per network (an IPv4 address, an IPv6 /64), which is kept as an HMAC: each answer or offer that was wrong, each wait that was used up or refused,
 * and each connection that was turned away before the policy had a say. A count begins with its first failure and is forgotten 15 minutes
 * later. It is no lockout and no proof of anything: people behind one address share it, and who has many networks is low on each. That is why trying
 * is all that it makes dearer (see `penalties`).
 */
export interface NetworkRisk {
  /** @param network its HMAC */
  of(network: string): Promise<Risk>;
  failures(network: string): Promise<number>;
  /** @returns how many there are by now */
  failed(network: string, count: number): Promise<number>;
}

export const riskWindowMs = 15 * 60_000;
/** What a person may mistype, with something to spare. */
export const raisedFrom = 5;
export const highFrom = 20;

export function createNetworkRisk(state: Pick<State, "add" | "sum">): NetworkRisk {
  const key = (network: string) => `identity:risk:${network}`;
  return {
    of: async (network) => riskOf(await state.sum(key(network))),
    failures: (network) => state.sum(key(network)),
    failed: async (network, count) => (count > 0 ? state.add(key(network), count, riskWindowMs) : 0),
  };
}

export function riskOf(failures: number): Risk {
  if (failures >= highFrom) return "high";
  return failures >= raisedFrom ? "raised" : "low";
}
