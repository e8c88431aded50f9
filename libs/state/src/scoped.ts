import type { State } from "./port.ts";

/**
 * The same store, in which every name begins with `prefix`: whoever holds nothing else can neither read nor write what others keep there,
 * whatever names they are led to use. Names may be as much shorter as the prefix is long.
 */
export function scopedState(state: State, prefix: string): State {
  const named = (name: string) => {
    // Behind a prefix an empty name would be one, which the port does not take.
    if (name === "") throw new TypeError("a key is a string of at least 1 character");
    return `${prefix}${name}`;
  };
  return {
    get: async (key) => state.get(named(key)),
    create: async (key, value, ttlMs) => state.create(named(key), value, ttlMs),
    replace: async (key, version, value, ttlMs) => state.replace(named(key), version, value, ttlMs),
    delete: async (key, version) => state.delete(named(key), version),
    take: async (key) => state.take(named(key)),
    deleteAndCount: async (key, counter, ttlMs) => state.deleteAndCount(named(key), named(counter), ttlMs),
    replaceAndCount: async ({ key, counter, kept, ...step }) =>
      state.replaceAndCount({
        ...step,
        key: named(key),
        counter: named(counter),
        kept: kept === null ? null : { ...kept, prefix: named(kept.prefix) },
      }),
    add: async (key, amount, ttlMs) => state.add(named(key), amount, ttlMs),
    sum: async (key) => state.sum(named(key)),
    reset: async (key) => state.reset(named(key)),
    advance: async (key, value, holder, ttlMs) => state.advance(named(key), value, holder, ttlMs),
    join: async (key, member, expiresAtMs, membersMax) => state.join(named(key), member, expiresAtMs, membersMax),
    leave: async (key, member) => state.leave(named(key), member),
    members: async (key) => state.members(named(key)),
    ping: () => state.ping(),
    close: () => state.close(),
  };
}
