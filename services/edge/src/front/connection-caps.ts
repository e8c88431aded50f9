export type Refusal = "full" | "address-full";

export interface ConnectionCaps {
  /** Counts one in. @returns how to count it out again (once; more calls do nothing), or why not */
  enter(network: string): { readonly leave: () => void } | { readonly refused: Refusal };
  readonly total: number;
}

/** How many connections there may be at once, in all and from one network. */
export function createConnectionCaps(max: number, perNetworkMax: number): ConnectionCaps {
  const counts = new Map<string, number>();
  let total = 0;
  return {
    enter(network) {
      if (total >= max) return { refused: "full" };
      const own = counts.get(network) ?? 0;
      if (own >= perNetworkMax) return { refused: "address-full" };
      counts.set(network, own + 1);
      total += 1;
      let inside = true;
      return {
        leave() {
          if (!inside) return;
          inside = false;
          total -= 1;
          const left = (counts.get(network) ?? 1) - 1;
          if (left === 0) counts.delete(network);
          else counts.set(network, left);
        },
      };
    },
    get total() {
      return total;
    },
  };
}
