/**
 * What `identity` keeps in the state port and `keys` looks at for every message: a question over the bus would double what a message
 * costs, and could not be answered in one order with the end of a session. `identity` writes; `keys` reads, and counts on where a key has been in use for long enough.
 */

/** Entry: there for exactly as long as the session lives. */
export const liveSessionKey = (sid: string): string => `identity:session:${sid}`;

/** Counter: how often somebody was put out of a socket, in one step with the end of their session; and how often its policy was changed. */
export const removalsKey = (socketId: string): string => `identity:removals:${socketId}`;

/** Longer than anything that is counted from it. */
export const removalsTtlMs = 10 * 365 * 86_400_000;

/** Set: the owner's programs on a socket, by the ids of their sessions. Some may be over: who counts on one looks at its entry. */
export const consumersKey = (socketId: string): string => `identity:consumers:${socketId}`;
