import { consumersKey, removalsTtlMs } from "@portcullis/contracts";
import type { State } from "@portcullis/state";
import type { Receiver, Receivers } from "./receivers.ts";

/** The owner's programs on a socket. */
export interface Pool {
  /** Whose turn it is, without those who were tried. Null: there is nobody. */
  next(socketId: string, tried: ReadonlySet<string>): Promise<Receiver | null>;
  all(socketId: string): Promise<Receiver[]>;
}

export function createPool(state: State, receivers: Pick<Receivers, "find">): Pool {
  async function find(socketId: string, sid: string): Promise<Receiver | null> {
    const found = await receivers.find(socketId, sid);
    return found?.session.role === "consumer" ? found : null;
  }

  return {
    async next(socketId, tried) {
      const sids = (await state.members(consumersKey(socketId))).filter((sid) => !tried.has(sid)).sort();
      if (sids.length === 0) return null;
      const turn = (await state.add(`keys:turns:${socketId}`, 1, removalsTtlMs)) % sids.length;
      for (const sid of [...sids.slice(turn), ...sids.slice(0, turn)]) {
        const found = await find(socketId, sid);
        if (found !== null) return found;
      }
      return null;
    },
    async all(socketId) {
      const found = await Promise.all((await state.members(consumersKey(socketId))).map((sid) => find(socketId, sid)));
      return found.filter((each) => each !== null);
    },
  };
}
