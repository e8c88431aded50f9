import type { State } from "@portcullis/state";
import type { Alerts } from "../alerts/alerts.ts";
import { type NetworkRisk, riskWindowMs } from "./risk.ts";

/** Of one network on one socket, within the time for which it is held to account. No person mistypes so often; a few who share an address may. */
export const guessingFrom = 50;

/** Holds a network to account for what failed from it, and tells the owner of a socket at which one fails again and again. */
export interface Guessing {
  /** @param socketId null: there is none; the same work */
  failed(network: string, count: number, socketId: string | null): Promise<void>;
}

export function createGuessing({
  state,
  risk,
  alerts,
}: {
  readonly state: Pick<State, "add">;
  readonly risk: Pick<NetworkRisk, "failed">;
  readonly alerts: Alerts;
}): Guessing {
  return {
    async failed(network, count, socketId) {
      if (count <= 0) return;
      await risk.failed(network, count);
      const sum = await state.add(`identity:guessing:${socketId ?? "none"}:${network}`, count, riskWindowMs);
      // Exactly one of those who add passes the threshold.
      const isReached = sum >= guessingFrom && sum - count < guessingFrom;
      if (isReached && socketId !== null)
        void alerts.raise({ kind: "guessing", socketId, about: { network, failures: sum } });
    },
  };
}
