import { ServiceError } from "@portcullis/contracts";
import type { State } from "@portcullis/state";

/**
 * Limits on guessing at an owner's door. Counted separately per account and network, per account, and per network, so that a
 * stranger who knows an address can slow its owner down on the stranger's own network only; the account-wide ceiling is high
 * (NIST SP 800-63B-4 3.2.2: at most 100 consecutive failures).
 */
export interface Attempts {
  /** @throws {ServiceError} too_many, before anything was checked. */
  require(account: string, address: string): Promise<void>;
  failed(account: string, address: string): Promise<void>;
  /** A success forgives what this account's owner mistyped, not what the network did elsewhere. */
  succeeded(account: string, address: string): Promise<void>;
}

const windowMs = 15 * 60_000;
const perAccountAndAddressMax = 5;
const perAddressMax = 50;
const perAccountMax = 100;
const perAccountWindowMs = 24 * 3_600_000;

export function createAttempts(state: State, purpose: string, tag: (text: string) => string): Attempts {
  const keys = (account: string, address: string) => ({
    both: `identity:attempts:${purpose}:both:${tag(`${account} ${address}`)}`,
    address: `identity:attempts:${purpose}:address:${tag(address)}`,
    account: `identity:attempts:${purpose}:account:${tag(account)}`,
  });
  return {
    async require(account, address) {
      const key = keys(account, address);
      const [both, fromAddress, onAccount] = await Promise.all([
        state.sum(key.both),
        state.sum(key.address),
        state.sum(key.account),
      ]);
      if (both >= perAccountAndAddressMax || fromAddress >= perAddressMax || onAccount >= perAccountMax)
        throw new ServiceError("too_many");
    },
    async failed(account, address) {
      const key = keys(account, address);
      await Promise.all([
        state.add(key.both, 1, windowMs),
        state.add(key.address, 1, windowMs),
        state.add(key.account, 1, perAccountWindowMs),
      ]);
    },
    async succeeded(account, address) {
      const key = keys(account, address);
      await Promise.all([state.delete(key.both), state.delete(key.account)]);
    },
  };
}
