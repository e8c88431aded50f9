import type { Caller } from "@portcullis/bus";
import { sealExpiries } from "@portcullis/contracts";
import type { Logger } from "@portcullis/runtime";

export interface ExpiryWords {
  /** The sealed record that tells the client of a session that it has expired. Null where none can be had in time. Never rejects. */
  of(sid: string): Promise<Uint8Array | null>;
}

type Frames = ReadonlyMap<string, Uint8Array>;

/** Sessions that began together end together: they are asked for together. */
const gatherMs = 10;
const batchMax = 256;
/** A session that is over must not hold its connection for longer, whoever does not answer. */
const patienceMs = 2_000;

export function createExpiryWords({
  caller,
  log,
}: {
  readonly caller: Pick<Caller, "call">;
  readonly log: Pick<Logger, "warn">;
}): ExpiryWords {
  let gathered: { readonly sids: string[]; readonly frames: Promise<Frames> } | null = null;

  const ask = async (sids: readonly string[]): Promise<Frames> => {
    try {
      const { frames } = await caller.call(sealExpiries, { sids: [...sids] }, { timeoutMs: patienceMs });
      return new Map(frames.map(({ sid, frame }) => [sid, frame]));
    } catch {
      log.warn("sessions that expired are closed without the sealed word", { count: sids.length });
      return new Map();
    }
  };
  const gather = () => {
    const sids: string[] = [];
    const asked = Promise.withResolvers<Frames>();
    setTimeout(() => {
      if (gathered?.sids === sids) gathered = null;
      asked.resolve(ask(sids));
    }, gatherMs);
    return { sids, frames: asked.promise };
  };

  return {
    async of(sid) {
      if (gathered === null || gathered.sids.length >= batchMax) gathered = gather();
      gathered.sids.push(sid);
      const { frames } = gathered;
      const { promise: tooLate, resolve } = Promise.withResolvers<Frames>();
      const timer = setTimeout(resolve, patienceMs + gatherMs, new Map());
      const found = await Promise.race([frames, tooLate]);
      clearTimeout(timer);
      return found.get(sid) ?? null;
    },
  };
}
