import { type Circumstances, needsRisk, type Policy } from "@portcullis/policy";
import type { Arrival } from "./arrival.ts";
import type { NetworkRisk } from "./risk.ts";

/** Who is there, and from where, as far as a `when` asks for it. */
export interface Whereabouts {
  readonly address: string;
  /** HMAC of the network that the address is of. */
  readonly network: string;
}

/**
 * What each `when` is decided by: when a handshake begins, and once more whenever it, or its session, goes on over another connection. Whoever opens from
 * a network that the owner trusts, or has a device there open for them, must not go on from another and be spared the gates that are for that one.
 */
export async function circumstancesOf(
  risk: Pick<NetworkRisk, "of">,
  { address, network }: Whereabouts,
  { member }: Pick<Arrival, "member">,
  policy: Pick<Policy, "gates">,
): Promise<Circumstances> {
  return {
    member: member?.body.name ?? null,
    address,
    risk: needsRisk(policy) ? await risk.of(network) : undefined,
  };
}
