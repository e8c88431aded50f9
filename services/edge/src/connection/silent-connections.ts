/** Connections that are never answered again and are held until their time is over: whoever is on one must not learn that it was over before. */
export interface SilentConnections {
  /** @param letGo is called at most once, where another one needs the place. @returns how to leave; more calls do nothing */
  enter(letGo: () => void): () => void;
}

/**
 * At most `max` at once. Silence is for intruders, who can bring about as much of it as they like: it must not use up what others need. The oldest goes
 * first, because it is the one that has waited longest, and its end looks like any other.
 *
 * @param onCount is told of each that comes (1) and goes (-1)
 */
export function createSilentConnections(max: number, onCount: (change: 1 | -1) => void): SilentConnections {
  /** In the order in which they came. */
  const held = new Set<() => void>();
  return {
    enter(letGo) {
      const own = () => letGo();
      const leave = () => {
        if (held.delete(own)) onCount(-1);
      };
      const [oldest] = held;
      if (held.size >= max && oldest !== undefined) {
        held.delete(oldest);
        onCount(-1);
        oldest();
      }
      held.add(own);
      onCount(1);
      return leave;
    },
  };
}
