import type { State } from "@portcullis/state";

/**
 * How much has gone wrong of late from one network: proofs of work that were asked for and not brought, and wrong answers at any gate.
 * Only prices stand on it, never a verdict: who shares a network with an attacker pays more, and is still let in.
 */
export interface Suspicion {
  /** Counts one question that was asked. @returns how many counts there are, this one left out, and how to take it back. */
  asked(network: string): Promise<{ readonly before: number; readonly window: number }>;
  /** What was asked has been answered rightly: it counts no more. */
  solved(network: string, window: number): Promise<void>;
  failed(network: string): Promise<void>;
}

/** Counts are forgotten after one to two of these. */
export const windowMs = 10 * 60_000;

/** @param network an HMAC: no address is kept, not even in the name of a counter */
export function createSuspicion({ state, clock }: { readonly state: State; readonly clock: () => number }): Suspicion {
  const counter = (network: string, window: number) => `factors.suspicion.${network}.${window}`;
  const now = () => Math.floor(clock() / windowMs);
  const add = (network: string, window: number, amount: number) =>
    state.add(counter(network, window), amount, 2 * windowMs);
  return {
    async asked(network) {
      const window = now();
      const sum = await add(network, window, 1);
      const earlier = await state.sum(counter(network, window - 1));
      return { before: Math.max(0, sum - 1) + Math.max(0, earlier), window };
    },
    async solved(network, window) {
      // Where its window has gone there is nothing to take it from, and it is no credit for another one.
      if (now() - window <= 1) await add(network, window, -1);
    },
    async failed(network) {
      await add(network, now(), 1);
    },
  };
}
