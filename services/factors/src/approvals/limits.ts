import type { State } from "@portcullis/state";

/** Requests that were not approved, since the last one that was: who is asked without end gives in in the end ("push fatigue"). */
const askedMax = 10;
const windowMs = 60 * 60_000;

/** Who asks to be let in. */
export interface Asker {
  readonly socketId: string;
  /** As claimed; null: nobody in particular. */
  readonly member: string | null;
  /** An HMAC. */
  readonly network: string;
}

export interface AskLimits {
  /** @param waitId asked for again, it is counted once. @returns false: too often, and nobody is to be asked. */
  ask(asker: Asker, waitId: string): Promise<boolean>;
  /** One of them was approved: its member and its network begin anew. */
  approved(asker: Asker): Promise<void>;
}

/**
 * By member and by network, each on its socket: a stranger with many networks who claims one name is stopped by the first, one with many
 * names by the second. Sets of requests and not sums, so that a request which is repeated counts once.
 *
 * @param tagOf names of members are not stored, not even in the names of counters.
 */
export function createAskLimits(options: {
  readonly state: State;
  readonly clock: () => number;
  readonly tagOf: (text: string) => string;
}): AskLimits {
  const { state, clock, tagOf } = options;
  const sets = ({ socketId, member, network }: Asker) => [
    `factors.approval-asks.${socketId}.network.${network}`,
    ...(member === null ? [] : [`factors.approval-asks.${socketId}.member.${tagOf(member)}`]),
  ];
  return {
    async ask(asker, waitId) {
      for (const set of sets(asker)) {
        await state.join(set, waitId, clock() + windowMs);
        if ((await state.members(set)).length <= askedMax) continue;
        for (const each of sets(asker)) await state.leave(each, waitId);
        return false;
      }
      return true;
    },
    async approved(asker) {
      for (const set of sets(asker)) for (const each of await state.members(set)) await state.leave(set, each);
    },
  };
}
