import type { State } from "@portcullis/state";
import type { Who } from "./subjects.ts";

/** From where a member came in, and under which key: what others do elsewhere, or beside them, does not hold them up there. */
export interface Known {
  /** The same look-up for whoever asks, and for nobody. */
  is(who: Who): Promise<boolean>;
  note(who: Who): Promise<void>;
}

const knownMs = 30 * 24 * 3_600_000;

export function createKnown(state: Pick<State, "get" | "create" | "replace">): Known {
  const key = ({ socketId, memberId, keyId, network }: Who) =>
    `identity:known:${socketId ?? "none"}:${memberId ?? "none"}:${keyId ?? "none"}:${network}`;
  const mark = Uint8Array.of(1);
  return {
    async is(who) {
      return (await state.get(key(who))) !== null && who.memberId !== null;
    },
    async note(who) {
      if (who.memberId === null) return;
      const found = await state.get(key(who));
      // Somebody else's write, of the same moment, is as good.
      if (found === null) await state.create(key(who), mark, knownMs);
      else await state.replace(key(who), found.version, mark, knownMs);
    },
  };
}
