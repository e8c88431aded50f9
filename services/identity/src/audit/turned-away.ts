import type { Logger } from "@portcullis/runtime";
import type { Audit } from "./audit.ts";

/** Connections that were turned away before the policy had a say, as sums: whoever knocks fills no book with it. */
export interface TurnedAway {
  /** @param socketId null: of no socket. Counted all the same, so that a probe costs what it costs elsewhere, and recorded nowhere. */
  add(socketId: string | null, cause: string): void;
  /** Writes the sums. By a clock and never by whoever knocks: a write that comes with a probe would show in how long it takes. */
  flush(): void;
}

/** Whoever knows the paths of so many sockets is not held up by more counting. */
const socketsMax = 10_000;
/** Shaped like an id, and nobody's. */
const nobody = "none";

export function createTurnedAway(audit: Pick<Audit, "note">, log: Pick<Logger, "warn">): TurnedAway {
  let sums = new Map<string, Map<string, number>>();
  let missed = 0;
  return {
    add(socketId, cause) {
      const key = socketId ?? nobody;
      const ofSocket = sums.get(key) ?? new Map<string, number>();
      ofSocket.set(cause, (ofSocket.get(cause) ?? 0) + 1);
      if (sums.has(key) || sums.size < socketsMax) sums.set(key, ofSocket);
      else missed += 1;
    },
    flush() {
      const full = sums;
      sums = new Map();
      full.delete(nobody);
      for (const [socketId, causes] of full)
        for (const [cause, count] of causes) void audit.note(socketId, { event: "turned-away", cause, count });
      if (missed > 0) log.warn("connections to too many sockets were turned away for all to be recorded", { missed });
      missed = 0;
    },
  };
}
