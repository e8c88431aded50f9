import { ServiceError } from "@portcullis/contracts";
import { networkOf } from "@portcullis/runtime";
import type { State } from "@portcullis/state";

/**
 * Limits on guessing at an owner's door. Counted separately per account and network, per network, and per account, so that a
 * stranger who knows an address can slow its owner down on the stranger's own network only; the account-wide ceiling is high
 * (NIST SP 800-63B-4 3.2.2: at most 100 consecutive failures). A network from which the account was entered before has a ceiling
 * of its own: a hundred guesses cost a stranger twenty networks, of which an IPv6 /48 holds 65536, and must not shut its owner
 * out at home as well. Each kind of secret has counters of its own (keycloak#46164).
 */
export interface Attempts {
  /**
   * Counts first and looks then, so that of any number of guesses at once no more than the limit are ever judged.
   *
   * @param address of whoever tries, null where it is not known: then nothing is counted per network.
   * @param judge null means wrong, which stays counted; any other value means right, which forgives what this account's owner
   * mistyped, but not what the network did elsewhere; a rejection means that nothing was judged and counts for nothing.
   * @returns what `judge` says.
   * @throws {ServiceError} too_many, before anything was looked at.
   */
  judge<T>(account: string, address: string | null, judge: () => Promise<T | null>): Promise<T | null>;
}

const windowMs = 15 * 60_000;
const perAccountAndNetworkMax = 5;
const perNetworkMax = 50;
const perAccountWindowMs = 24 * 3_600_000;
const perAccountMax = 100;
const knownNetworkMs = 30 * 24 * 3_600_000;

/** @param ceiling of one account, over all networks from which it was not entered before */
export function createAttempts(
  state: State,
  purpose: string,
  tag: (text: string) => string,
  ceiling: { readonly max: number; readonly windowMs: number } = { max: perAccountMax, windowMs: perAccountWindowMs },
): Attempts {
  return {
    async judge(account, address, judge) {
      const network = address === null ? null : networkOf(address);
      const name = (scope: string, text: string) => `identity:attempts:${purpose}:${scope}:${tag(text)}`;
      const both = name("both", JSON.stringify([account, network]));
      const onNetwork = network === null ? null : name("network", network);
      const known = name("known", JSON.stringify([account, network]));
      const isKnown = network !== null && (await state.get(known)) !== null;
      const onAccount = isKnown ? name("known-network", JSON.stringify([account, network])) : name("account", account);

      // Narrowest first, and each only if the one before it let the attempt through: what one network repeats without end must
      // not use up the account's ceiling, which would lock the owner out everywhere.
      if ((await state.add(both, 1, windowMs)) > perAccountAndNetworkMax) throw tooMany(windowMs);
      if (onNetwork !== null && (await state.add(onNetwork, 1, windowMs)) > perNetworkMax) throw tooMany(windowMs);
      if ((await state.add(onAccount, 1, ceiling.windowMs)) > ceiling.max) throw tooMany(ceiling.windowMs);

      const takeBack = async (key: string | null, ttlMs: number) => {
        if (key !== null) await state.add(key, -1, ttlMs);
      };
      let judged: Awaited<ReturnType<typeof judge>>;
      try {
        judged = await judge();
      } catch (error) {
        await Promise.all([
          takeBack(both, windowMs),
          takeBack(onNetwork, windowMs),
          takeBack(onAccount, ceiling.windowMs),
        ]);
        throw error;
      }
      if (judged !== null) {
        await Promise.all([state.reset(both), state.reset(onAccount), takeBack(onNetwork, windowMs)]);
        if (network !== null && !isKnown) await state.create(known, Uint8Array.of(1), knownNetworkMs);
      }
      return judged;
    },
  };
}

/** What may be done only so often, whoever is right or wrong. */
export interface Quota {
  /** @returns false when it is used up. */
  take(subject: string): Promise<boolean>;
  /** @throws {ServiceError} too_many when it is used up. */
  require(subject: string): Promise<void>;
}

export function createQuota(
  state: State,
  name: string,
  { max, windowMs }: { readonly max: number; readonly windowMs: number },
  tag: (text: string) => string,
): Quota {
  const take = async (subject: string) =>
    (await state.add(`identity:quota:${name}:${tag(subject)}`, 1, windowMs)) <= max;
  return {
    take,
    async require(subject) {
      if (!(await take(subject))) throw tooMany(windowMs);
    },
  };
}

/** The whole window, though it may end sooner: how far it has run is nobody's business. */
function tooMany(windowMs: number): ServiceError {
  return new ServiceError("too_many", { retryAfterS: Math.ceil(windowMs / 1_000) });
}
