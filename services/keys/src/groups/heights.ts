export interface Height {
  readonly epoch: number;
  readonly step: number;
  /** Something was sealed under that step. */
  readonly isUsed: boolean;
}

const socketsMax = 10_000;
const bottom: Height = { epoch: 0, step: 0, isUsed: false };

/**
 * The furthest that this replica has seen each socket come. A store that was put back to what it was (a backup, a failover that lost
 * writes) would have an epoch hold again whose key people have who were put out since, or a step again that newcomers have, or let newcomers in at
 * one under which something was said: whoever remembers better goes on above it. Replicas that all restart together with such a store do not.
 */
export interface Heights {
  /** To be asked before the store is: what that says then is not below it. */
  of(socketId: string): Height;
  reached(socketId: string, height: Height): void;
}

export function createHeights(): Heights {
  /** In order of last use. */
  const seen = new Map<string, Height>();
  const of = (socketId: string) => seen.get(socketId) ?? bottom;
  return {
    of,
    reached(socketId, height) {
      // A slower call may end behind a faster one, which has seen more.
      const highest = isBelow(height, of(socketId)) ? of(socketId) : height;
      seen.delete(socketId);
      seen.set(socketId, highest);
      const [oldest] = seen.keys();
      if (seen.size > socketsMax && oldest !== undefined) seen.delete(oldest);
    },
  };
}

export function isBelow(one: Height, other: Height): boolean {
  if (one.epoch !== other.epoch) return one.epoch < other.epoch;
  if (one.step !== other.step) return one.step < other.step;
  return !one.isUsed && other.isUsed;
}
