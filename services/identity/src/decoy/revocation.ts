import type { Revocation } from "../sessions/revocation.ts";

/**
 * What ends the sessions of a socket ends those of its decoys with them: they must not outlive their key or their socket, and one that went on where a real one
 * would have ended would show what it is. They are counted nowhere.
 */
export function revocationOfBoth(real: Revocation, decoy: Pick<Revocation, "revoke">): Revocation {
  return {
    async revoke(socketId, which, why) {
      const ended = await real.revoke(socketId, which, why);
      await decoy.revoke(socketId, which, why);
      return ended;
    },
    revokeOne: real.revokeOne,
  };
}
