/** Remembers the last names that it has seen. */
export interface Once {
  /** @returns whether it is new. Null is always new. */
  see(name: string | null): boolean;
}

const rememberedMax = 1_000;

export function createOnce(): Once {
  const seen = new Set<string>();
  return {
    see(name) {
      if (name === null) return true;
      if (seen.has(name)) return false;
      seen.add(name);
      const [oldest] = seen;
      if (seen.size > rememberedMax && oldest !== undefined) seen.delete(oldest);
      return true;
    },
  };
}
