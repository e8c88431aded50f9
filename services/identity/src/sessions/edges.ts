import type { Clock } from "@portcullis/runtime";
import type { State } from "@portcullis/state";

/** Who still holds connections. An edge that dies says nothing: it is missed when it no longer asks for its sessions. */
export interface EdgeWatch {
  /** It asks at such intervals. */
  seen(edge: string, everyMs: number): Promise<void>;
  /** Until when it may be taken to be there, epoch ms; 0 for one that nobody has seen. */
  presumedUntilMs(edge: string): Promise<number>;
}

const rememberedMs = 86_400_000;

export function createEdgeWatch(state: State, clock: Clock): EdgeWatch {
  const key = (edge: string) => `identity:edge:${edge}`;
  return {
    async seen(edge, everyMs) {
      const value = Buffer.from(String(clock() + 2 * everyMs));
      const found = await state.get(key(edge));
      // Two at once say almost the same: either will do.
      if (found === null) await state.create(key(edge), value, rememberedMs);
      else await state.replace(key(edge), found.version, value, rememberedMs);
    },
    async presumedUntilMs(edge) {
      const found = await state.get(key(edge));
      return found === null ? 0 : Number(Buffer.from(found.value).toString());
    },
  };
}
